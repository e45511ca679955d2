"""TAGGERS has a row for every ARN that AWS documents for restored resources and recovery points.

One row for each documented form: what it is, the ARN with the example ID of the page, the call that reads its
tags (None if the documentation of AWS Backup says that there are none), and the page.
"""

from tag_on_restore.arn import Arn
from tag_on_restore.taggers import TAGGERS, tagger_for

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, REGION

IAM = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_{}.html"
BACKUP = "https://docs.aws.amazon.com/aws-backup/latest/devguide/"
ACCESS = f"{BACKUP}access-control.html#access-control-resources"
EKS = f"{BACKUP}eks-backups.html"
EVENT = f"{BACKUP}eventbridge.html"
HERE = f"{REGION}:{ACCOUNT}"
POINT = f"arn:aws:backup:{HERE}:recovery-point"
DESCRIBE_SNAPSHOTS = "ec2 describe_snapshots"
LIST_BACKUP = "backup list_tags"
LIST_RDS = "rds list_tags_for_resource"
LIST_FSX = "fsx list_tags_for_resource"
LIST_REDSHIFT = "redshift describe_tags"
LIST_SERVERLESS = "redshift-serverless list_tags_for_resource"
LIST_GATEWAY = "storagegateway list_tags_for_resource"
LIST_TIMESTREAM = "timestream-write list_tags_for_resource"
LIST_SAP = "ssm-sap list_tags_for_resource"

RESOURCES = [
    ("EC2 instance", f"ec2:{HERE}:instance/i-0b22a22eec53b9321", "ec2 describe_instances", "amazonec2"),
    ("EBS volume", f"ec2:{HERE}:volume/vol-049df61146c4d7901", "ec2 describe_volumes", "amazonec2"),
    ("RDS instance", f"rds:{HERE}:db:orders", LIST_RDS, "amazonrds"),
    ("Aurora, DocumentDB, Neptune, Multi-AZ cluster", f"rds:{HERE}:cluster:orders", LIST_RDS, "amazonrds"),
    (
        "Aurora DSQL",
        f"dsql:{HERE}:cluster/4iabtwnq2j55iez4j4bkykghgm",
        "dsql list_tags_for_resource",
        "amazonauroradsql",
    ),
    ("DynamoDB", f"dynamodb:{HERE}:table/orders", "dynamodb list_tags_of_resource", "amazondynamodb"),
    (
        "EFS",
        f"elasticfilesystem:{HERE}:file-system/fs-01234567",
        "efs list_tags_for_resource",
        "amazonelasticfilesystem",
    ),
    ("FSx file system", f"fsx:{HERE}:file-system/fs-0123456789abcdef0", LIST_FSX, "amazonfsx"),
    ("FSx volume", f"fsx:{HERE}:volume/fs-0123456789abcdef0/fsvol-0123456789abcdef0", LIST_FSX, "amazonfsx"),
    ("Storage Gateway", f"storagegateway:{HERE}:gateway/sgw-12A3456B", LIST_GATEWAY, "awsstoragegateway"),
    (
        "Storage Gateway volume",
        f"storagegateway:{HERE}:gateway/sgw-12A3456B/volume/vol-1122AABB",
        LIST_GATEWAY,
        "awsstoragegateway",
    ),
    ("S3", "s3:::amzn-s3-demo-bucket", "s3control list_tags_for_resource", "amazons3"),
    ("Redshift", f"redshift:{HERE}:cluster:warehouse", LIST_REDSHIFT, "amazonredshift"),
    (
        "Redshift Serverless",
        f"redshift-serverless:{HERE}:namespace/1a2b3cde-f405-6789-012f-3456ff789012",
        LIST_SERVERLESS,
        "amazonredshiftserverless",
    ),
    ("Timestream database", f"timestream:{HERE}:database/metrics", LIST_TIMESTREAM, "amazontimestream"),
    (
        "Timestream table",
        f"timestream:{HERE}:database/metrics/table/cpu",
        LIST_TIMESTREAM,
        "amazontimestream",
    ),
    ("SAP HANA application", f"ssm-sap:{HERE}:HANA/payroll", LIST_SAP, "awssystemsmanagerforsap"),
    ("SAP HANA database", f"ssm-sap:{HERE}:HANA/payroll/DB/HDB", LIST_SAP, "awssystemsmanagerforsap"),
    (
        "Virtual machine",
        f"backup-gateway:{HERE}:vm/vm-0000000000000000a",
        "backup-gateway list_tags_for_resource",
        "awsbackupgateway",
    ),
    ("EKS", f"eks:{HERE}:cluster/shop", "eks list_tags_for_resource", "amazonelastickubernetesservice"),
    (
        "CloudFormation",
        f"cloudformation:{HERE}:stack/shop/1a2b3cde-f405-6789-012f-3456ff789012",
        None,
        "awscloudformation",
    ),
]
RECOVERY_POINTS = [
    ("EBS", f"arn:aws:ec2:{REGION}::snapshot/snap-05f426fd8kdjb4224", DESCRIBE_SNAPSHOTS, ACCESS),
    ("EC2", f"arn:aws:ec2:{REGION}::image/ami-1a2b3e4f5e6f7g890", "ec2 describe_images", ACCESS),
    ("RDS", f"arn:aws:rds:{HERE}:snapshot:awsbackup:job-be59cf2a-2343-4402-bd8b", LIST_RDS, ACCESS),
    (
        "Aurora",
        f"arn:aws:rds:{HERE}:cluster-snapshot:awsbackup:job-be59cf2a-2343-4402-bd8b",
        LIST_RDS,
        ACCESS,
    ),
    ("DocumentDB", f"arn:aws:rds:{HERE}:cluster-snapshot:awsbackup:job-ab12cd3e-4567-8901", LIST_RDS, ACCESS),
    (
        "Neptune",
        f"arn:aws:rds:{HERE}:cluster-snapshot:awsbackup:job-ab12cd3e-4567-8901-fg1h",
        LIST_RDS,
        ACCESS,
    ),
    ("Aurora DSQL", f"{POINT}:8a92c3f1-b475-4d9e-95e6-7c138f2d4b0a", LIST_BACKUP, ACCESS),
    ("Storage Gateway", f"arn:aws:ec2:{REGION}::snapshot/snap-0d40e49137e31d9e0", DESCRIBE_SNAPSHOTS, ACCESS),
    (
        "DynamoDB without advanced features",
        f"arn:aws:dynamodb:{HERE}:table/MyDynamoDBTable/backup/01547087347000-c8b6kdk3",
        None,
        ACCESS,
    ),
    ("DynamoDB", f"{POINT}:12a34a56-7bb8-901c-cd23-4567d8e9ef01", LIST_BACKUP, ACCESS),
    ("EFS", f"{POINT}:d99699e7-e183-477e-bfcd-ccb1c6e5455e", LIST_BACKUP, ACCESS),
    ("FSx", f"arn:aws:fsx:{HERE}:backup/backup-1a20e49137e31d9e0", LIST_FSX, ACCESS),
    ("Virtual machine", f"{POINT}:1801234a-5b6b-7dc8-8032-836f7ffc623b", LIST_BACKUP, ACCESS),
    ("S3, continuous", f"{POINT}:amzn-s3-demo-bucket-5ec207d0", LIST_BACKUP, ACCESS),
    ("S3, periodic", f"{POINT}:amzn-s3-demo-bucket-20211231900000-5ec207d0", LIST_BACKUP, ACCESS),
    (
        "Redshift",
        f"arn:aws:redshift:{HERE}:snapshot:warehouse/awsbackup:job-ab12cd3e-4567-8901",
        LIST_REDSHIFT,
        ACCESS,
    ),
    (
        "Redshift Serverless",
        f"arn:aws:redshift-serverless:{HERE}:snapshot:warehouse/awsbackup:job-ab12cd3e-4567-8901",
        LIST_SERVERLESS,
        ACCESS,
    ),
    (
        "Redshift Serverless",
        f"arn:aws:redshift-serverless:{HERE}:snapshot/1a2b3cde-f405-6789-012f-3456ff789012",
        LIST_SERVERLESS,
        IAM.format("amazonredshiftserverless"),
    ),
    ("Timestream", f"{POINT}:1a2b3cde-f405-6789-012g-3456hi789012_beta", LIST_BACKUP, ACCESS),
    ("CloudFormation", f"{POINT}:1a2b3cde-f405-6789-012g-3456hi789012", LIST_BACKUP, ACCESS),
    ("SAP HANA", f"{POINT}:1a2b3cde-f405-6789-012g-3456hi789012", LIST_BACKUP, ACCESS),
    ("EKS, composite", f"{POINT}:composite:eks/shop-20260207", LIST_BACKUP, EKS),
    ("EKS, child", f"{POINT}:eks/shop-20260207", LIST_BACKUP, EKS),
    ("continuous backup", f"{POINT}:continuous:db-fhywxqorhq6zp7pe6xg7nqrzgm-0c2b17f4", LIST_BACKUP, EVENT),
]
FORMS = [
    *((what, f"arn:aws:{arn}", call, IAM.format(page)) for what, arn, call, page in RESOURCES),
    *((f"recovery point of {what}", arn, call, page) for what, arn, call, page in RECOVERY_POINTS),
]


def test_every_documented_form_has_the_row_that_reads_its_tags() -> None:
    for what, arn, call, page in FORMS:
        tagger = tagger_for(Arn.parse(arn))
        found = f"{tagger.client} {tagger.reads.operation}" if tagger else None
        assert found == call, f"{what}, {arn}, is documented at {page}"


def test_every_row_has_a_documented_form() -> None:
    """The permissions of the role follow from the rows."""
    used = {tagger_for(Arn.parse(arn)) for _, arn, _, _ in FORMS}
    assert used >= set(TAGGERS)
