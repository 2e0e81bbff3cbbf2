"""What Prometheus may ask a service; no label ever holds an MPAN or a party."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """One service's counters."""

    def __init__(self) -> None:
        """All at zero, in a registry of their own."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fmar_register_requests", "Requests by route and status.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram("fmar_register_request_seconds", "Time to answer.", ("method", "route"), registry=self.registry)
        self.problems = Counter("fmar_register_problems", "Refusals by kind.", ("problem",), registry=self.registry)
        self.upload_rows = Counter("fmar_register_upload_rows", "Rows of uploads by outcome.", ("outcome",), registry=self.registry)
        self.audit_rows_lost = Counter("fmar_register_audit_rows_lost", "Audit rows that could not be stored.", registry=self.registry)
