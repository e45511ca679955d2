"""EventBridge's deliveries: a target receives an event only under its own policy, and failures are kept.

AWS invokes a Lambda target under the function's resource policy (AWS::Lambda::Permission for
events.amazonaws.com with the rule as source) and delivers to a queue or topic under its policy; a refused
delivery goes to the target's dead-letter queue. Lambda treats the invocation as asynchronous: retries, then
the function's dead-letter queue or OnFailure destination, which needs sqs:SendMessage (or sns:Publish,
lambda:InvokeFunction) in the function's role. A pipeline is started with the target's RoleArn, a role that
must trust the rule and allow codepipeline:StartPipelineExecution. ministack delivers in every case, invokes
once, and has no dead-letter queues of targets.

Emulated: all of that; refusals are recorded as denials. Retries wait fractions of a second instead of minutes
(LAMBDA_ASYNC_RETRY_BASE_SECONDS in process.py).

Not emulated: a target's RetryPolicy, since deliveries never fail here.
"""

import json
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.functions import rules
from rehearsal.emulator.extensions.functions.creation import DELIVERY_ACTIONS
from rehearsal.emulator.extensions.identity import authorization, service_roles
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
        rules.count_delivery(rule)
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
    """Start the pipeline that is a rule's target; False if the target's role does not allow it."""
    pipeline, role, action = target["Arn"], target.get("RoleArn", ""), "codepipeline:StartPipelineExecution"
    with base.scope(pipeline.split(":")[4], pipeline.split(":")[3]):
        reason = (
            service_roles.why_not_assumable(role, _SERVICE, rule) if role else "the target has no RoleArn"
        )
        if reason is None and not authorization.role_allows(role, action, pipeline):
            reason = f"the role {role} does not allow it"
        if reason is not None:
            authorization.record_denial(role or _SERVICE, action, pipeline, reason)
            return False
        executions.start(pipeline.rpartition(":")[2], "CloudWatchEvent", rule)
        return True


def _may_deliver(target: str, source: str) -> bool:
    """Whether the policy of a function, queue or topic allows EventBridge to deliver for a rule."""
    service = target.split(":")[2]
    action = DELIVERY_ACTIONS.get(service)
    if action is None:
        return True  # other targets use roles
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
        reason = f"no policy of the target allows the rule {source}"
        authorization.record_denial(_SERVICE, action, target, reason)
        return False


def _source_keys(service: str, source: str) -> dict[str, str]:
    """For topics, EventBridge documents no condition keys."""
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
        if authorization.role_allows(role, action, target):
            send(target, function, event, result)
        else:
            reason = f"the role of {function} does not allow its failure destination"
            authorization.record_denial(role, action, target, reason)

    hooks.lambda_svc._route_async_failure = route_failure
