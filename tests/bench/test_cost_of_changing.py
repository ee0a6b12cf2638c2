"""What changing a memory costs, on a few turns."""

from memspan.bench.changing import ChangingPlan, markdown, measure


def test_a_small_run_has_every_figure(tmp_path):
    """Recall now and at other moments, correct, undo, forget; all receipts are true, and the table shows it."""
    heard = []
    plan = ChangingPlan(records=[300], folder=tmp_path, asked=10, times=3)
    result = measure(plan, ["memspan", "bench"], heard.append)
    (size,) = result["sizes"]
    for name in ("recall_ms_p50", "recall_as_of_ms_p50", "recall_known_at_ms_p95", "correct_ms_p50", "undo_ms_p50"):
        assert size[name] > 0
    assert size["forget_turn_ms_p50"] > 0 and size["forget_session_ms_p99"] > 0
    assert 1 < size["turns_per_session"] <= 20
    assert heard == ["300 turns"] and list(tmp_path.iterdir()) == []
    assert "| forget_session_ms_p50 " in markdown(result)
