"""Suggestions as Prometheus metrics: how the model keeps up. Nothing of the texts."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.directory.symptoms.model_thread import ModelThread


class SymptomCollector(Collector):
    """The language model of this gateway."""

    def __init__(self, model: ModelThread) -> None:
        self._model = model

    def collect(self) -> Iterable[Metric]:
        """The present counts."""
        yield GaugeMetricFamily(
            "slotcast_symptoms_model_loaded",
            "The language model is in memory.",
            float(self._model.is_loaded),
        )
        texts = CounterMetricFamily(
            "slotcast_symptoms_texts",
            "Texts that came while there was a model, by how it dealt with them.",
            labels=["model"],
        )
        tally = self._model.tally
        for name in ("answered", "unloaded", "busy", "late"):
            texts.add_metric([name], getattr(tally, name))
        yield texts
