"""The settings of the Label Studio that `make labeling` starts: its own, accounts by invitation, and the guard.

Label Studio reads them where DJANGO_SETTINGS_MODULE names this module and PYTHONPATH its folder.
"""

# ruff: noqa: F403
# In this order: while Label Studio's own settings are imported, they ask this module for what stands above them.
from label_studio.core.settings.base import *

SENTRY_DSN = FRONTEND_SENTRY_DSN = ""

from label_studio.core.settings.label_studio import *  # noqa: E402
from label_studio.core.settings.label_studio import MIDDLEWARE as THEIR_MIDDLEWARE  # noqa: E402

DISABLE_SIGNUP_WITHOUT_LINK = True
CORS_ALLOW_ALL_ORIGINS = False
MIDDLEWARE = [*THEIR_MIDDLEWARE, "o1_guard.Guard"]
