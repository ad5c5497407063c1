"""Writes on from a prompt, one word at a time: a language model of a dozen lines."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

from srv import MLModel
from srv.errors import InvalidInput
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Stream(MLModel):
    """It has only ``predict_stream``, so it is decoupled: one request, any number of responses."""

    def load(self) -> bool:
        """Learn which word comes most often behind which."""
        text = Path(__file__).with_name("tale.txt").read_text(encoding="utf-8").split()
        followers: dict[str, Counter[str]] = defaultdict(Counter)
        for word, follower in pairwise(text):
            followers[word][follower] += 1
        self.next_word = {word: counts.most_common(1)[0][0] for word, counts in followers.items()}
        return True

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Yield the words behind the prompt until a sentence ends, or after ``max_tokens``, a request parameter."""
        async for payload in payloads:
            prompt = payload.inputs[0].data[0]
            words = (prompt.decode() if isinstance(prompt, bytes) else prompt).split()
            word = words[-1] if words else ""
            if word not in self.next_word:
                raise InvalidInput(f"prompt: expected to end with a word of tale.txt, got {word!r}")
            for _ in range(payload.parameters.get("max_tokens", 20)):
                word = self.next_word[word]
                await asyncio.sleep(0.05)  # what a large model would take
                yield InferenceResponse(
                    model_name=self.name,
                    outputs=[ResponseOutput(name="token", datatype="BYTES", shape=[1], data=[word])],
                )
                if word.endswith("."):
                    break
