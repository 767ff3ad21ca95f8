"""Sends who is seen to an MQTT broker, and through it to Home Assistant.

Under the topic: `events`, a JSON object for each person who is new, whose label changed, or who is gone;
`state`, the current state, retained by the broker; `status`, online or offline.
"""

import contextlib
import re
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

from fer_edge import __version__, console
from fer_edge.errors import OutputError, UsageError
from fer_edge.files import to_json
from fer_edge.sinks import Sink
from fer_edge.sources import without_password
from fer_edge.vision.analysis import MAX_GAP_FRAMES, MAX_GAP_S
from fer_edge.vision.frames import Face, FrameResult

LAST_WORDS_S = 2.0
MOST_QUEUED = 1000  # messages, while the broker is away
PORTS = {"mqtt": 1883, "mqtts": 8883}


class People:
    """From frames to events: `new`, `changed` (another label) and `gone`, by track."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Face, float]] = {}
        self._last_s: float | None = None
        self._source: str | None = None

    @property
    def present(self) -> list[Face]:
        """The faces as last seen, largest first."""
        faces = [face for face, _ in self._seen.values()]
        return sorted(faces, key=lambda face: -face.box_xywh[2] * face.box_xywh[3])

    def update(self, result: FrameResult) -> list[dict[str, Any]]:
        if result.frame.source != self._source:  # another picture, with other people
            self._source, self._seen = result.frame.source, {}
        now_s = result.frame.time_s
        between_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        events: list[dict[str, Any]] = []
        for face in result.faces:
            before = self._seen.get(face.track)
            if before is None or before[0].label != face.label:
                events.append({"event": "changed" if before else "new", **face.as_dict()})
            self._seen[face.track] = face, now_s
        for track, (_, seen_s) in list(self._seen.items()):
            if now_s - seen_s > max(MAX_GAP_S, MAX_GAP_FRAMES * between_s):
                del self._seen[track]
                events.append({"event": "gone", "track": track})
        about = {"source": result.frame.source, "time_s": round(now_s, 3)}
        return [event | about for event in events]


class Mqtt(Sink):
    """url: mqtt://[user:password@]host[:port]/topic, or mqtts:// for TLS. Reconnects by itself.

    Raises UsageError for another URL, OutputError if no broker answers.
    """

    def __init__(self, url: str) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._name = without_password(url)
        try:
            address = urlsplit(url)
            self._topic = address.path.strip("/")
            given = address.scheme in PORTS and address.hostname and self._topic and address.port != 0
        except ValueError:
            given = False
        if not given or re.search(r"[#?+\0]", url.rpartition("@")[2]):
            raise UsageError(f"--mqtt {self._name}: give mqtt://host/topic")
        self._people = People()
        self._state: dict[str, Any] = {}
        self._answered = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(MOST_QUEUED)
        if address.username:
            self._client.username_pw_set(unquote(address.username), unquote(address.password or ""))
        if address.scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(f"{self._topic}/status", "offline", qos=1, retain=True)
        self._client.on_connect = self._connected
        try:
            self._client.connect(address.hostname or "", address.port or PORTS[address.scheme])
        except (OSError, ValueError) as error:
            raise OutputError(f"no MQTT broker at {self._name}: {error}") from error
        self._client.loop_start()
        self._answered.wait(LAST_WORDS_S)  # a short run would end before the broker knows it

    def _connected(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            console.warn(f"the MQTT broker at {self._name} refuses: {reason}")
            self._answered.set()
            return
        topic, node = self._topic, re.sub(r"[^A-Za-z0-9_-]", "_", self._topic)
        sensors = {"label": ("Expression", "mdi:emoticon"), "faces": ("Faces", "mdi:account-group")}
        for key, (name, icon) in sensors.items():  # Home Assistant then lists them by itself
            config = {
                "name": name,
                "unique_id": f"{node}_{key}",
                "state_topic": f"{topic}/state",
                "value_template": f"{{{{ value_json.{key} }}}}",
                "availability_topic": f"{topic}/status",
                "icon": icon,
                "device": {"identifiers": [node], "name": f"fer-edge {topic}", "sw_version": __version__},
            }
            where = f"homeassistant/sensor/{node}/{key}/config"
            client.publish(where, to_json(config), retain=True)
        client.publish(f"{topic}/status", "online", retain=True)  # a full queue refuses qos=1
        if self._state:  # what changed while the broker was away
            client.publish(f"{topic}/state", to_json(self._state), retain=True)
        self._answered.set()

    def write(self, result: FrameResult) -> None:
        """Queues what is new; another thread sends it."""
        if not result.analysed:
            return
        for event in self._people.update(result):
            self._client.publish(f"{self._topic}/events", to_json(event), qos=1)
        labels = [face.label or "uncertain" for face in self._people.present]
        label = labels[0] if labels else "nobody"
        state = {"source": result.frame.source, "faces": len(labels), "label": label, "labels": labels}
        if state != self._state:
            self._state = state
            self._client.publish(f"{self._topic}/state", to_json(state), retain=True)

    def close(self) -> None:
        """Announces the end, if the broker is connected."""
        last = self._client.publish(f"{self._topic}/status", "offline", retain=True)
        if self._client.is_connected():
            with contextlib.suppress(ValueError, RuntimeError):  # the queue is full
                last.wait_for_publish(LAST_WORDS_S)
        else:
            console.warn(f"no connection to the MQTT broker at {self._name}: it missed the latest messages")
        self._client.disconnect()
        self._client.loop_stop()
