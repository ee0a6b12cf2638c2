"""Compress a model's cache, ask it twice, and see what that costs: right answers, bytes, time.

python examples/compress_cache.py

The model is a tiny Llama whose weights are set by hand so that it recalls what it read; any Llama-like model of
transformers takes its place. Needs pip install "memspan[kv]".
"""

from time import perf_counter

import torch

from memspan import Budget, kv
from memspan.testing.kv_tasks import multi_turn
from memspan.testing.recall_model import circuit

model = circuit()
task = multi_turn(batch=16, context=480, needles=12, questions=2)
ways = {
    "every row": {"method": None},
    "every row in 4 bits": {"method": None, "codec": "int4"},
    "a quarter, snapkv": {"method": "snapkv", "budget": Budget(ratio=0.25)},
    "a quarter, keydiff": {"method": "keydiff", "budget": Budget(ratio=0.25)},
    "looked up, hcattention": {"method": "hcattention", "budget": Budget(ratio=0.25), "tier": "host"},
}
print(f"{'':24}{'1st answer':>12}{'2nd answer':>12}{'kB held':>10}{'ms a token':>12}")
for name, way in ways.items():
    with torch.no_grad(), kv.compress(model, **way) as cache:
        model(task.prompt, past_key_values=cache)
        held, right, took = cache.nbytes(), [], []
        for question, answer in task.turns:
            once = cache.fork()  # each question is asked of the compressed prompt
            logits = model(question, past_key_values=once).logits[:, -1]
            said = []
            for _ in range(answer.shape[1]):
                said.append(logits.argmax(-1, keepdim=True))
                began = perf_counter()
                logits = model(said[-1], past_key_values=once).logits[:, -1]
                took.append(perf_counter() - began)
            right.append(float((torch.cat(said, 1) == answer).all(1).float().mean()))
    print(f"{name:24}{right[0]:12.0%}{right[1]:12.0%}{held / 1000:10,.0f}{min(took) * 1000:12.1f}")
