"""EventBridge: a target is only reached if its own policy lets the rule reach it.

AWS invokes a Lambda target with the function's resource policy (AWS::Lambda::Permission for
events.amazonaws.com, with the rule as source) and a queue or topic with its policy; a delivery that is
refused goes to the target's dead-letter queue. Lambda then treats the invocation as asynchronous: retries,
then the function's dead-letter queue or OnFailure destination, which needs sqs:SendMessage (or sns:Publish,
lambda:InvokeFunction) in the function's role. ministack delivers in every case, invokes once, and has no
dead-letter queues of targets.

A pipeline is started with the role that its target names (RoleArn), which must trust the rule and allow
codepipeline:StartPipelineExecution.

Emulated: all of that; refusals are recorded as denied. Retries wait fractions of a second instead of minutes
(LAMBDA_ASYNC_RETRY_BASE_SECONDS in process.py).

Not emulated: RetryPolicy of a target, whose deliveries never
fail here.
"""

import json
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.functions import rules
from rehearsal.emulator.extensions.functions.functions import DELIVERY_ACTIONS
from rehearsal.emulator.extensions.identity import iam, service_roles
from rehearsal.emulator.extensions.pipeline import executions

_SERVICE = "events.amazonaws.com"


def install() -> None:
    _check_targets()
    _invoke_functions_asynchronously()
    _check_failure_destinations()


def _check_targets() -> None:
    deliver = hooks.eventbridge._invoke_target

    def invoke_target(
        target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
    ) -> None:
        rules.sent_on(rule)
        source = rule.get("Arn") or hooks.eventbridge._rule_arn(
            rule["Name"], rule.get("EventBusName", "default")
        )
        if target["Arn"].split(":")[2] == "codepipeline":
            if _start_pipeline(target, source):
                return
        elif _may_deliver(target["Arn"], source):
            deliver(target, event, rule, view)
            return
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue and _may_deliver(queue, source):
            deliver({"Arn": queue, "Id": f"{target.get('Id')}-dead-letters"}, event, rule, view)

    hooks.eventbridge._invoke_target = invoke_target


def _start_pipeline(target: dict[str, Any], rule: str) -> bool:
    """Whether a rule has started the pipeline that is its target."""
    pipeline, role, action = target["Arn"], target.get("RoleArn", ""), "codepipeline:StartPipelineExecution"
    with base.scope(pipeline.split(":")[4], pipeline.split(":")[3]):
        refusal = service_roles.trusts_service(role, _SERVICE, rule) if role else "the target has no RoleArn"
        if refusal is None and not iam.role_allows(role, action, pipeline):
            refusal = f"the role {role} does not allow it"
        if refusal is not None:
            iam.record_denial(role or _SERVICE, action, pipeline, refusal)
            return False
        executions.start(pipeline.rpartition(":")[2], "CloudWatchEvent", rule)
        return True


def _may_deliver(target: str, source: str) -> bool:
    """Whether the policy of a function, queue or topic lets EventBridge in for a rule; other targets use
    roles.
    """
    service = target.split(":")[2]
    action = DELIVERY_ACTIONS.get(service)
    if action is None:
        return True
    with base.scope(target.split(":")[4], target.split(":")[3]):
        policy = _policy(service, target)
        context = hooks.iam_evaluator.EvalContext(
            principal_arn=_SERVICE,
            principal_type="Service",
            principal_account="",
            action=action,
            resource_arn=target,
            region=base.region(),
            secure_transport=True,
            service_context=_source_keys(service, source),
        )
        evaluate = hooks.iam_evaluator.evaluate_resource_policy
        if policy and evaluate(policy, context, service=_SERVICE).decision == "Allow":
            return True
        iam.record_denial(_SERVICE, action, target, f"no policy of the target lets the rule {source} in")
        return False


def _source_keys(service: str, source: str) -> dict[str, str]:
    """EventBridge documents that it sends no condition keys to topics."""
    return {} if service == "sns" else {"aws:sourcearn": source, "aws:sourceaccount": source.split(":")[4]}


def _policy(service: str, target: str) -> Any:
    lookups = {
        "lambda": hooks.lambda_svc.function_policy_for_arn,
        "sqs": hooks.sqs.queue_policy_for_arn,
        "sns": hooks.sns.topic_policy_for_arn,
    }
    found = lookups[service](target)
    return found[0] if found else None


def _invoke_functions_asynchronously() -> None:
    def dispatch(arn: str, payload: str) -> None:
        function, configuration, _ = hooks.lambda_svc._get_func_record_for_ref(arn)
        if function and configuration:
            record = hooks.lambda_svc._execution_record_for_config(function, configuration)
            hooks.lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    hooks.eventbridge._dispatch_to_lambda = dispatch


def _check_failure_destinations() -> None:
    send = hooks.lambda_svc._route_async_failure

    def route_failure(target: str, function: str, event: dict[str, Any], result: dict[str, Any]) -> None:
        action = DELIVERY_ACTIONS.get(target.split(":")[2], "")
        record = hooks.lambda_svc._functions.get(function) or {}
        role = (record.get("config") or {}).get("Role", "")
        if iam.role_allows(role, action, target):
            send(target, function, event, result)
        else:
            iam.record_denial(
                role, action, target, f"the role of {function} does not allow its failure destination"
            )

    hooks.lambda_svc._route_async_failure = route_failure
