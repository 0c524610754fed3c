"""Runs inside Label Studio: an account that is not the lead's may sign in and label, as itself, and nothing else.

The community edition has no roles: whoever has an account may delete projects, rewrite others' annotations and read
tokens. Only the server knows whose session or token a request carries, so the guard is a middleware of its own. It
lets through what the labelling page asks for. Whatever a newer Label Studio adds is refused until it is listed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Request = Any
Check = Callable[[Request, "re.Match[str]"], bool]


class Rule(NamedTuple):
    """path: what a request's path has to match as a whole. check: what else has to hold."""

    methods: tuple[str, ...]
    path: re.Pattern[str]
    check: Check | None = None


def _without_star(request: Request, match: re.Match[str]) -> bool:
    """A new "ground truth" takes that mark from all other annotations of the task."""
    # Only in the form that the page sends: the server would read others differently than this.
    form = (request.content_type, request.content_params.get("charset", "utf-8").lower())
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        return False
    return (
        form == ("application/json", "utf-8")
        and isinstance(content, dict)
        and not content.get("ground_truth")
    )


def _own_annotation(request: Request, match: re.Match[str]) -> bool:
    from tasks.models import Annotation

    return bool(Annotation.objects.filter(pk=match["id"], completed_by=request.labeler).exists())


def _change_of_own(request: Request, match: re.Match[str]) -> bool:
    return _without_star(request, match) and _own_annotation(request, match)


def _own_draft(request: Request, match: re.Match[str]) -> bool:
    from tasks.models import AnnotationDraft

    return bool(AnnotationDraft.objects.filter(pk=match["id"], user=request.labeler).exists())


def _next_task(request: Request, match: re.Match[str]) -> bool:
    return request.GET.getlist("id") == ["next_task"]


def _rule(methods: str, path: str, check: Check | None = None) -> Rule:
    return Rule(tuple(methods.split()), re.compile(rf"/(?:{path})/?", re.ASCII), check)


RULES = (
    _rule(
        "GET HEAD", r"|health|version|api/version|feature-flags|heidi-tips|favicon\.ico|sw(-fallback)?\.js"
    ),
    _rule("GET HEAD", r"(static|react-app|dm|label-studio-frontend)/.*"),
    _rule("GET HEAD POST", "user/login|user/signup"),
    _rule("GET", r"logout|user/account|api/current-user/(whoami|hotkeys|product-tour)|api/jwt/settings"),
    _rule("POST", "api/token/refresh"),  # exchanges a token for a short-lived one of the same account
    _rule("GET", r"projects|projects/\d+|projects/\d+/data"),
    _rule("GET", r"api/projects|api/projects/\d+|api/projects/\d+/(label-stream-history|next)"),
    _rule("GET", r"api/dm/(columns|project|actions|views|views/\d+)|api/users|api/label_links|api/ml"),
    _rule("GET", r"api/tasks|api/tasks/\d+|api/annotations/\d+"),
    _rule("POST", "api/dm/views"),  # the page makes a project's first tab
    _rule("POST", "api/dm/actions", _next_task),
    _rule("POST", r"api/tasks/\d+/(annotations|drafts)", _without_star),
    _rule("PATCH", r"api/annotations/(?P<id>\d+)", _change_of_own),
    _rule("POST", r"api/tasks/\d+/annotations/(?P<id>\d+)/drafts", _own_annotation),
    _rule("GET PATCH DELETE", r"api/drafts/(?P<id>\d+)", _own_draft),
)


def allows(request: Request) -> bool:
    """Whether labelling needs the request. It has method, path_info and GET, and its account in `labeler`."""
    for rule in RULES:
        match = rule.path.fullmatch(request.path_info)
        if match and request.method in rule.methods and (rule.check is None or rule.check(request, match)):
            return True
    return False


def is_foreign(request: Request) -> bool:
    """Whether a page of another origin sends it, with the cookies of somebody who is signed in here."""
    origin = request.headers.get("Origin")
    return (
        request.method not in ("GET", "HEAD")
        and bool(origin)
        and urlsplit(origin).netloc != request.get_host()
    )


class Guard:
    """The middleware; the last one, behind those that find out who is asking."""

    def __init__(self, get_response: Callable[[Request], Any]) -> None:
        from django.db.models.signals import pre_save
        from tasks.models import Annotation, AnnotationDraft

        self.get_response = get_response
        for model in (Annotation, AnnotationDraft):
            # With an identifier, because Label Studio builds its chain of middlewares twice.
            pre_save.connect(_sign, sender=model, dispatch_uid=f"o1-{model.__name__}")

    def __call__(self, request: Request) -> Any:
        from django.http import JsonResponse

        request.labeler = _account(request)
        if is_foreign(request):
            return JsonResponse({"detail": "a page of another origin sent this request"}, status=403)
        if not request.labeler.is_staff and not allows(request):
            return JsonResponse({"detail": "only the lead's account may do this"}, status=403)
        return self.get_response(request)


def _account(request: Request) -> Any:
    """Whose session or token the request carries; without either, nobody's, which is not a lead's."""
    from jwt_auth.auth import TokenAuthenticationPhaseout
    from rest_framework.exceptions import AuthenticationFailed

    try:
        account = TokenAuthenticationPhaseout().authenticate(request)
    except AuthenticationFailed:
        account = None
    return account[0] if account else request.user


def _sign(sender: type, instance: Any, **_: Any) -> None:
    """Before an annotation or a draft is saved: labellers sign as themselves, whatever their request says."""
    from core.current_request import get_current_request
    from rest_framework.exceptions import PermissionDenied

    labeler = getattr(get_current_request(), "labeler", None)
    if labeler is None or labeler.is_staff:
        return
    if sender.__name__ == "Annotation":
        instance.completed_by = labeler
        return
    instance.user = labeler
    if instance.annotation is not None and instance.annotation.completed_by_id != labeler.pk:
        raise PermissionDenied("the annotation is somebody else's")
