from __future__ import annotations

import signal
import threading

import pytest

from cxr.train.resume.stop import Stop, Stopped, deliver

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_outside_steps_a_signal_stops_at_once(number, code):
    with Stop().listening(), pytest.raises(Stopped) as stopped:
        signal.raise_signal(number)
    assert stopped.value.exit_code == code
    assert isinstance(stopped.value, KeyboardInterrupt)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_inside_it_waits_to_be_obeyed(number, code):
    with Stop().listening() as stop:
        stop.raise_if_requested()
        stop.defers = True
        signal.raise_signal(number)
        assert stop.signal == number
        with pytest.raises(Stopped) as stopped:
            stop.raise_if_requested()
    assert stopped.value.exit_code == code


def test_the_second_never_waits():
    with Stop().listening() as stop:
        stop.defers = True
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number, _ in SIGNALS]
    with Stop().listening():
        assert [signal.getsignal(number) for number, _ in SIGNALS] != before
    assert [signal.getsignal(number) for number, _ in SIGNALS] == before


def test_in_another_thread_nothing_is_asked_of_signals():
    seen = []

    def listen():
        with Stop().listening() as stop:
            seen.append(stop.signal)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [None]


def test_in_a_thread_it_is_told():
    seen = []

    def train():
        with Stop().listening() as stop:
            deliver(signal.SIGTERM)
            seen.append(stop.requested())
            with pytest.raises(Stopped) as stopped:
                stop.raise_if_requested()
            seen.append(stopped.value.exit_code)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [True, 143]
    deliver(signal.SIGTERM)  # when nobody listens, nothing happens
