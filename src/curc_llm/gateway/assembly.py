"""The gateway's parts, put together."""

from __future__ import annotations

from pathlib import Path

from curc_llm.gateway.accesslog import Entry
from curc_llm.gateway.activity import ActivityReporter
from curc_llm.gateway.admission import Admission
from curc_llm.gateway.app import PrivateApplication, PublicApplication
from curc_llm.gateway.audit import Audit
from curc_llm.gateway.auth import Gatekeeper
from curc_llm.gateway.body_room import BodyRoom
from curc_llm.gateway.channel import Channel, GatewayConfig, GatewayState, KeepGoing, Outcome, Restart
from curc_llm.gateway.chat_relay import ChatRelay
from curc_llm.gateway.demand import Demand
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.generation import Caretaker
from curc_llm.gateway.guests import GuestWatch
from curc_llm.gateway.key_limits import KeyLimits
from curc_llm.gateway.key_safe import KeySafe
from curc_llm.gateway.keyring import KeyRing
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.logfile import JsonlFile, LogWriter
from curc_llm.gateway.login import Login, UsedTokens
from curc_llm.gateway.management import Management
from curc_llm.gateway.metrics import Metrics
from curc_llm.gateway.moving import Moving
from curc_llm.gateway.orders import Orders
from curc_llm.gateway.relay import EngineRelay, RelayParts
from curc_llm.gateway.restarting import Restarting
from curc_llm.gateway.service import Service
from curc_llm.gateway.throttle import FailureThrottle
from curc_llm.session.paths import SessionPaths

_ENDING = RequestError(503, "session_ending", "The session has ended, so this answer ends here.")


class Gateway:
    """All of one gateway but its listeners.

    Args:
        config: what the supervisor wants.
        channel: where activity is reported.
    """

    def __init__(self, config: GatewayConfig, channel: Channel) -> None:
        paths = SessionPaths(Path(config.session_dir))
        limits = config.limits
        self._access, self._errors, audit_file = (
            JsonlFile(path) for path in (paths.access_log, paths.error_log, paths.audit_log)
        )
        self._writer = LogWriter([self._access, self._errors, audit_file])
        self._live = LiveSession(limits.connect_s)
        self._room = BodyRoom(limits.waiting_mib * 2**20)
        self._admission = Admission(self._live, limits.waiting, self._room)
        self._caretaker = Caretaker(config.heartbeat_s)
        self._metrics = Metrics(self._caretaker)
        self._activity = ActivityReporter(channel.send, self._admission.waiting.total)
        self._caretaker.on_tick = self._tick
        audit = Audit(audit_file)
        keyring = KeyRing(paths.keys, lambda count: audit.record("keys_read", keys=count))
        watch = GuestWatch(keyring)
        engines = EngineRelay(self._make_parts(config, watch))
        service = Service(
            self._live,
            self._metrics,
            self._admission,
            lambda: channel.send(KeepGoing()),
            limits.metrics_s,
            KeySafe(paths.api_key, paths.login_secret),
            audit,
        )
        throttle = FailureThrottle(limits.attempts_per_minute)
        gatekeeper = Gatekeeper(keyring, throttle, audit, config.owner, self._metrics.record_failure)
        used = UsedTokens(paths.root / "login.used")
        login = Login(
            config.session_id, paths.login_secret, used, gatekeeper, audit, keyring, limits.header_s
        )
        chat = ChatRelay(self._live, config.max_body_mib * 2**20, watch)
        restarting = Restarting(self._live, lambda models: channel.send(Restart(models)), audit)
        demand = Demand(self._live, channel.send, audit)
        self._orders = Orders(channel.send)
        management = Management(self._live, self._orders, audit)
        inside = (service, restarting)
        self.public = PublicApplication(
            *(limits.body_s, self._live, gatekeeper, login, engines, chat, *inside, demand, management),
            Moving(paths.root, audit),
        )
        self.private = PrivateApplication(limits.body_s, engines, *inside, keyring, demand, management)

    def _make_parts(self, config: GatewayConfig, watch: GuestWatch) -> RelayParts:
        return RelayParts(
            live=self._live,
            activity=self._activity,
            caretaker=self._caretaker,
            admission=self._admission,
            room=self._room,
            limits=KeyLimits(),
            watch=watch,
            max_body_bytes=config.max_body_mib * 2**20,
            log_prompts=config.log_prompts,
            heartbeat_s=config.heartbeat_s,
            on_done=self._log,
        )

    def _log(self, entry: Entry) -> None:
        line = entry.render()
        self._access.append(line)
        if entry.status >= 500:
            self._errors.append(
                {key: line[key] for key in ("time", "request_id", "route", "key", "model", "status")}
            )
        self._metrics.record(entry)

    def _tick(self) -> None:
        self._metrics.sample()
        self._activity.refresh()

    def apply(self, state: GatewayState) -> None:
        """Takes a new state from the supervisor."""
        self._live.apply(state)
        self._admission.refresh()

    def take_outcome(self, outcome: Outcome) -> None:
        """Takes what came of an order from the supervisor."""
        self._orders.take(outcome)

    def end_all(self) -> None:
        """Ends what still runs; each client is told why."""
        self._caretaker.end_all(_ENDING)

    def close(self) -> None:
        """Writes the logs to their end."""
        self._live.close()
        self._writer.close()
