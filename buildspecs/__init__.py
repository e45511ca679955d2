"""What the CodeBuild builds do. Each .yml file is a build; it only calls the Python here, which is tested.

In the order in which the pipeline runs them:

validate-templates.yml, before anything is deployed
├── projects            do the CodeBuild projects of this commit's pipeline exist?
├── targets             is aws-backup-ssm-targets.json complete and well-formed? (also `make targets`)
├── lint                do all templates pass the gates? (also `make lint`)
├── tests/lambdas       the functions' tests
└── stackset_templates  the StackSets' templates, each under a key that changes with its content
scan-templates.yml      cfn-nag, a RubyGem: calls nothing here
test-package-….yml      for each function, after its tests
├── packaging           makes the function's package and publishes it
└── role_stack_set      the ARN of the StackSet that another one waits for (also find-role-stack-set.yml)
report-rollout.yml
└── rollout_report      in which accounts has a StackSet failed?

All share names (every published name), paths, aws (clients), errors, hand_made (the stacks that a person
updates) and pipeline_variables (values from a build to the pipeline).
"""
