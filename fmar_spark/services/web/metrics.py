"""What Prometheus may ask a service; no label ever holds an MPAN or a party."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """One service's counters, named after it."""

    def __init__(self, service: str) -> None:
        """All at zero, in a registry of their own."""
        self.registry = CollectorRegistry()
        self._service = service
        self.requests = self.count("requests", "Requests by route and status.", "method", "route", "status")
        self.seconds = Histogram(f"fmar_{service}_request_seconds", "Time to answer.", ("method", "route"), registry=self.registry)
        self.problems = self.count("problems", "Rejections by kind.", "problem")
        self.audit_rows_skipped = self.count("audit_rows_skipped", "Requests without a token that were counted and left no audit row.")
        self.audit_rows_lost = self.count("audit_rows_lost", "Audit rows that could not be stored.")

    def count(self, name: str, meaning: str, *labels: str) -> Counter:
        """A further counter of the service."""
        return Counter(f"fmar_{self._service}_{name}", meaning, labels, registry=self.registry)
