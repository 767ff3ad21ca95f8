"""Events for programs: who comes, changes and goes, at a real broker on loopback."""

import collections
import contextlib
import getpass
import json
import shutil
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from drawn_clip import drawn_clip
from loop_fakes import face, result, until
from processes import fer_edge

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks.mqtt import Mqtt, People

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
USER, PASSWORD = "me", "w0rd@:/"


def test_people_come_change_and_go():
    steps = [
        (0.0, [(1, "happy")], [("new", 1, "happy")]),
        (0.1, [(1, "happy"), (2, "sad")], [("new", 2, "sad")]),
        (0.2, [(1, None)], [("changed", 1, None)]),
        (1.05, [(1, None)], []),
        (1.15, [(1, None)], [("gone", 2, None)]),  # when its track ends, or it would be there twice
        (9.0, [], []),  # frames were seconds apart
        (9.1, [], [("gone", 1, None)]),
    ]
    people = People()
    for time_s, seen, told in steps:
        faces = (face(label, track=track) for track, label in seen)
        events = people.update(result(*faces, time_s=time_s))
        assert [(event["event"], event["track"], event.get("label")) for event in events] == told
    people.update(result(face(track=1), source="two.jpg"))
    assert people.update(result(source="nobody.jpg")) == people.present == []


def test_the_state_is_sent_again_to_a_broker_that_comes_back():
    sink, sent = object.__new__(Mqtt), {}
    sink._topic, sink._state, sink._people = "t", {"faces": 0}, People()
    sink._answered = threading.Event()
    broker = SimpleNamespace(publish=lambda topic, text, retain: sent.update({topic: text}))
    sink._connected(broker, None, None, SimpleNamespace(is_failure=False), None)
    assert (sent["t/status"], json.loads(sent["t/state"])) == ("online", {"faces": 0})


@pytest.mark.parametrize(
    "url",
    ["mqtt://host", "mqtt://host/", "http://host/t", "mqtt://me:word@host/a/#", "mqtt://me:word@[x/t", "t"],
)
def test_what_is_no_topic_at_a_broker_is_refused(url):
    with pytest.raises(UsageError, match="--mqtt") as refused:
        Mqtt(url)
    assert "word" not in str(refused.value)


def test_a_broker_that_is_not_there_is_said_without_the_password():
    pytest.importorskip("paho.mqtt")
    with pytest.raises(OutputError, match=r"no MQTT broker at mqtt://me:\*\*\*@127.0.0.1:9/t"):
        Mqtt("mqtt://me:word@127.0.0.1:9/t")


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    pytest.importorskip("paho.mqtt")
    if MOSQUITTO is None:
        pytest.skip("needs mosquitto, which is not installed")
    folder = tmp_path_factory.mktemp("mosquitto")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = folder / "words"
    words.touch(mode=0o700)
    subprocess.run(["mosquitto_passwd", "-b", words, USER, PASSWORD], check=True, capture_output=True)
    (folder / "conf").write_text(
        f"user {getpass.getuser()}\nlistener {port} 127.0.0.1\nallow_anonymous false\npassword_file {words}\n"
    )
    folder.chmod(0o755)
    process = subprocess.Popen([MOSQUITTO, "-c", folder / "conf"], stderr=subprocess.DEVNULL)
    until(lambda: answers(port))
    yield port
    process.terminate()
    process.wait()


@pytest.fixture
def heard(broker):
    """What arrives: topic to the list of its messages."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    messages = collections.defaultdict(list)
    client = Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(USER, PASSWORD)
    client.on_message = lambda _c, _d, told: messages[told.topic].append(told.payload.decode())
    client.connect("127.0.0.1", broker)
    client.subscribe("#", qos=1)
    client.loop_start()
    yield messages
    client.disconnect()
    client.loop_stop()


def address(broker, topic):
    return f"mqtt://{USER}:w0rd%40%3A%2F@127.0.0.1:{broker}/{topic}"


def test_a_run_tells_home_assistant_and_says_goodbye(broker, heard, tmp_path):
    clip = drawn_clip(tmp_path / "c.avi", ("happy", "sad"), frames_each=6)
    told = ("--smooth", "0", "--mqtt", address(broker, "home/door"))
    done = fer_edge("run", clip, "--headless", "--detector", "haar", *told, code=0)
    assert "w0rd" not in done.stdout + done.stderr
    until(lambda: heard.get("home/door/status", [])[-1:] == ["offline"])
    assert "online" in heard["home/door/status"]
    events = [json.loads(text) for text in heard["home/door/events"]]
    assert (events[0]["event"], events[0]["source"]) == ("new", str(clip))
    state = json.loads(heard["home/door/state"][-1])
    assert (state["faces"], state["label"]) == (1, events[-1]["label"])
    for key in ("label", "faces"):
        config = json.loads(heard[f"homeassistant/sensor/home_door/{key}/config"][-1])
        topics = config["state_topic"], config["availability_topic"]
        assert topics == ("home/door/state", "home/door/status")
        assert f"value_json.{key}" in config["value_template"]


def test_a_run_that_is_killed_is_offline_by_its_will(broker, heard):
    code = (
        "import sys; from fer_edge.sinks.mqtt import Mqtt; import time\n"
        f"Mqtt({address(broker, 'will')!r}); print('up', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    child.stdout.readline()
    until(lambda: "online" in heard.get("will/status", []))
    child.kill()
    child.wait()
    until(lambda: heard["will/status"][-1] == "offline")


def test_a_wrong_password_is_said_and_does_not_stop_the_run(broker, capfd):
    sink = Mqtt(f"mqtt://{USER}:wrong-one@127.0.0.1:{broker}/t")
    sink.write(result(face()))
    said = []
    until(lambda: said.append(capfd.readouterr().err) or "refuses" in "".join(said))
    sink.close()
    assert "wrong-one" not in "".join(said)
