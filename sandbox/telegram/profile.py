"""What the bot says of itself: getMe, its commands, its webhook."""

import re
from dataclasses import dataclass, field

from sandbox.telegram.arguments import Arguments, bad_request
from sandbox.telegram.chats import Wire
from sandbox.telegram.updates import Updates

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_MOST_COMMANDS = 100


@dataclass(slots=True)
class Profile:
    """``commands``: by scope and language code, as they were set. ``webhook``: its URL, empty while polling."""

    bot: Wire
    updates: Updates
    commands: dict[tuple[str, str], list[Wire]] = field(default_factory=dict)
    webhook: str = ""
    secret_token: str | None = None
    max_connections: int = 40

    async def get_me(self, arguments: Arguments) -> Wire:
        return self.bot | {
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }

    async def set_my_commands(self, arguments: Arguments) -> bool:
        given = arguments.parsed("commands")
        if not isinstance(given, list) or len(given) > _MOST_COMMANDS:
            raise bad_request("can't parse commands list")
        for command in given:
            if not isinstance(command, dict) or not _COMMAND.fullmatch(str(command.get("command", ""))):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[_scope(arguments)] = given
        return True

    async def get_my_commands(self, arguments: Arguments) -> list[Wire]:
        return self.commands.get(_scope(arguments), [])

    async def delete_my_commands(self, arguments: Arguments) -> bool:
        self.commands.pop(_scope(arguments), None)
        return True

    async def set_webhook(self, arguments: Arguments) -> bool:
        url = arguments.string("url") or ""
        if not url:
            return await self.delete_webhook(arguments)
        if not url.startswith("https://"):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        secret = arguments.string("secret_token")
        if secret is not None and not _SECRET.fullmatch(secret):
            raise bad_request("secret token contains unallowed characters")
        self.webhook, self.secret_token = url, secret
        self.max_connections = arguments.integer("max_connections", 40)
        self.allow(arguments)
        if arguments.boolean("drop_pending_updates"):
            self.updates.drop_pending()
        self.updates.release("Conflict: terminated by setWebhook request")
        return True

    async def delete_webhook(self, arguments: Arguments) -> bool:
        self.webhook, self.secret_token = "", None
        if arguments.boolean("drop_pending_updates"):
            self.updates.drop_pending()
        return True

    async def get_webhook_info(self, arguments: Arguments) -> Wire:
        info: Wire = {
            "url": self.webhook,
            "has_custom_certificate": False,
            "pending_update_count": self.updates.pending,
        }
        if self.webhook:
            info["max_connections"] = self.max_connections
        if self.updates.allowed:
            info["allowed_updates"] = self.updates.allowed
        return info

    def allow(self, arguments: Arguments) -> None:
        """``allowed_updates`` stays as it was where it is not given."""
        allowed = arguments.parsed("allowed_updates")
        if isinstance(allowed, list):
            self.updates.allowed = [str(kind) for kind in allowed]


def _scope(arguments: Arguments) -> tuple[str, str]:
    scope = arguments.parsed("scope")
    kind = str(scope.get("type", "default")) if isinstance(scope, dict) else "default"
    chat = f":{scope['chat_id']}" if isinstance(scope, dict) and "chat_id" in scope else ""
    return kind + chat, arguments.string("language_code") or ""
