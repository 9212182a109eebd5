from __future__ import annotations

import signal
import threading

import pytest

from pupil.engine.interrupts import SIGNALS, Interrupts, Stopped, leave_interrupts_to_the_trainer


@pytest.fixture(autouse=True)
def handlers() -> object:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    yield before
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_only_asks(number: signal.Signals) -> None:
    said: list[str] = []
    with Interrupts(said.append) as interrupts:
        assert not interrupts.asked
        signal.raise_signal(number)
        assert interrupts.asked
    assert said == ["finishing this step, then saving; once more to stop at once"]


def test_the_second_does_what_it_would_have_done_outside() -> None:
    def twice() -> None:
        with Interrupts(print):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()
    reached: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: reached.append(number))
    with Interrupts(print):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert reached == [signal.SIGTERM]


@pytest.mark.parametrize("signalled", [False, True])
def test_the_handlers_of_before_come_back(signalled: bool, handlers: dict[signal.Signals, object]) -> None:
    def fail() -> None:
        with Interrupts(print):
            assert signal.getsignal(signal.SIGINT) is not handlers[signal.SIGINT]
            if signalled:
                signal.raise_signal(signal.SIGINT)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert {each: signal.getsignal(each) for each in SIGNALS} == handlers


def test_a_line_that_cannot_be_written_now_is_left_out() -> None:
    def busy(line: str) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    with Interrupts(busy) as interrupts:
        signal.raise_signal(signal.SIGINT)
    assert interrupts.asked


def test_outside_the_main_thread_signals_keep_their_meaning(handlers: dict[signal.Signals, object]) -> None:
    found: list[bool] = []

    def within() -> None:
        with Interrupts(print):
            found.append({each: signal.getsignal(each) for each in SIGNALS} == handlers)

    thread = threading.Thread(target=within)
    thread.start()
    thread.join()
    assert found == [True]


def test_a_process_that_loads_data_ignores_them() -> None:
    leave_interrupts_to_the_trainer(0)
    for each in SIGNALS:
        signal.raise_signal(each)


def test_whoever_stops_for_ctrl_c_stops_for_this() -> None:
    assert issubclass(Stopped, KeyboardInterrupt)


def test_what_is_ignored_outside_is_ignored_inside() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts(print) as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert not interrupts.asked
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.asked
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
