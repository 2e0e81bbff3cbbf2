"""Sections of the settings: each field says what it means and what it may be."""

import re
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

UNITY_CATALOG: Final = "databricks-uc"
THREE_LEVELS: Final = re.compile(r"[^./\s]+\.[^./\s]+\.[^./\s]+")


class Section(BaseModel):
    """Base of every section: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class LakeSettings(Section):
    """Where tables lie."""

    root: str = Field("lake", description="Root of the lake: table layer.name lies at root/layer/name.")
    catalog: str = Field(
        "",
        pattern=r"^(\w+)?$",
        description="Catalog in which each table is also named catalog.layer.name, such as one of Unity Catalog; empty = paths alone.",
    )


class SparkSettings(Section):
    """How jobs run on one machine; a cluster's own settings win there."""

    master: str = Field("local[2]", description="Spark master when the job is not started by spark-submit.")
    driver_memory: str = Field("3g", description="Heap of the one JVM in local mode.")
    shuffle_partitions: int = Field(8, ge=1, description="Tasks of a shuffle.")
    log_level: str = Field("ERROR", description="Spark's own logging.")
    show_progress: bool = Field(True, description="How far a long step is: a line on a terminal, elsewhere one of the log every minute.")


class IngestSettings(Section):
    """How DIP messages are read and checked."""

    environment: str = Field("production", pattern="^(production|test)$", description="In test a bad check digit warns only.")
    period_label: str = Field("end", pattern="^(end|start)$", description="Whether sp names the end or the start of a half-hour.")
    max_file_bytes: int = Field(64 * 2**20, ge=1024, description="A file that is larger, or unpacks to more, is quarantined whole.")
    max_message_bytes: int = Field(4 * 2**20, ge=1024, description="A larger message is quarantined.")
    max_messages_per_file: int = Field(100_000, ge=1, description="Messages of one file that are read; one quarantine row counts the rest.")
    max_faults_per_file: int = Field(
        10_000, ge=1, description="Rejected messages of a file that are kept one by one; one row counts the rest."
    )
    max_raw_chars: int = Field(262_144, ge=64, description="How much of a rejected message or file the quarantine keeps.")
    max_rejected_share: float = Field(
        1.0, gt=0, le=1, description="Share of rejected messages from which a run ends as failed; its data stand."
    )
    max_kwh_per_slot: float = Field(50_000.0, gt=0, description="ECS 1012: a larger half-hour is rejected.")
    final_run_days: int = Field(0, ge=0, description="ECS 1003: days from a settlement day to its final run; 0 checks nothing.")
    max_days_ahead: int = Field(1, ge=0, description="How long after the DIP's timestamp a settlement day may begin.")
    max_hours_ahead: int = Field(24, ge=0, description="How long after a message's arrival its timestamp and its days may lie.")
    reuse_days: int = Field(0, ge=0, description="How far from its own time an id is searched for in what was accepted; 0 = everywhere.")
    files_per_trigger: int = Field(500, ge=1, description="Landing files of one micro-batch.")
    records_per_trigger: int = Field(100_000, ge=1, description="Kafka records of one micro-batch.")
    trigger_seconds: int = Field(30, ge=1, description="Pause between micro-batches of a continuous run.")
    max_file_age_days: int = Field(3650, ge=1, description="Landing files older than the newest by more are no longer looked for.")


class ImportSettings(Section):
    """How a user's own intervals are read."""

    time_zone: str = Field("Europe/London", description="Local clock of series without a site.")
    latitude: float = Field(51.5, ge=-90, le=90, description="Of series without a site.")
    longitude: float = Field(-0.1, ge=-180, le=180, description="Of series without a site.")
    max_kwh_per_slot: float = Field(50_000.0, gt=0, description="A larger half-hour is rejected.")
    max_series_chars: int = Field(128, ge=1, le=1024, description="A series with a longer name is rejected.")


class SufficiencySettings(Section):
    """How much history an answer needs."""

    min_days: int = Field(60, ge=1, description="Least local days with readings that are characterised.")
    max_missing_share: float = Field(0.7, gt=0, lt=1, description="Largest share of unread half-hours.")
    window_months: int = Field(24, ge=3, le=24, description="Longest history that is looked at.")


class CharacteriseSettings(Section):
    """How the pass over the histories runs and how its answers are named."""

    meters_per_chunk: int = Field(256, ge=1, le=4096, description="Meters that the kernels see at once: bounds a worker's memory.")
    partitions: int = Field(0, ge=0, description="Tasks of the pass; 0 = spark.shuffle_partitions.")
    high_tier: float = Field(0.9, gt=0.5, le=1, description="Confidence from which an answer is high.")
    medium_tier: float = Field(0.7, gt=0.5, le=1, description="Confidence from which an answer is medium.")
    report_probability: float = Field(0.5, ge=0, le=1, description="Classes from this probability on get events and parameters.")
    max_weather_areas: int = Field(5000, ge=1, description="More are an error: use an area for many meters.")


class SizingSettings(Section):
    """What sizes of assets rest on beside the readings: for whoever knows the assets better."""

    pv_performance_ratio: float = Field(0.74, ge=0.4, le=1, description="AC kW per kWp of a PV array at 1 kW/m2 on its modules.")
    battery_hours: float = Field(2.6, ge=0.25, le=24, description="Storage over power of a battery whose power cannot be seen.")
    battery_kwh: float = Field(8.5, ge=0.5, le=1000, description="Storage of a usual battery, where it cannot be seen.")
    battery_round_trip: float = Field(0.85, ge=0.5, le=1, description="Energy that a battery gives over the energy that it takes.")


class BaselineSettings(Section):
    """How the day-ahead baseline learns and how it is scored."""

    half_life_days: float = Field(45.0, ge=5, le=400, description="Age at which a day counts half in the corrections.")
    interval_half_life_days: float = Field(12.0, ge=2, le=400, description="Age at which a day's errors count half in the interval.")
    score_days: int = Field(30, ge=1, le=90, description="Last days that gold.baselines scores out of sample.")
    score_warm_up_days: int = Field(30, ge=14, le=400, description="Days that it learns from before the scored ones.")


class DeliverySettings(Section):
    """What is believed of declared deliveries, and when they are flagged."""

    max_kwh_per_slot: float = Field(1_000_000.0, gt=0, description="A larger declared half-hour is rejected.")
    max_event_hours: float = Field(168.0, gt=0, le=168, description="A longer dispatch event is rejected.")
    max_name_chars: int = Field(128, ge=13, le=1024, description="A row with a longer name or id is rejected.")
    history_days: int = Field(180, ge=60, le=400, description="Days before an event from which its expectation is learnt.")
    assumed_notice_minutes: int = Field(60, ge=0, le=1440, description="Before the start of an event whose notice is not said.")
    tolerance: float = Field(0.05, ge=0, lt=1, description="Share of the declared energy that an honest declaration may lack.")
    suspect_rate: float = Field(0.01, gt=0, lt=1, description="Share of honest assets that become suspect a month at most.")
    false_discovery_rate: float = Field(0.1, gt=0, lt=1, description="Expected share of honest ones among all suspects at most.")
    evidence_days: int = Field(365, ge=30, description="Days of events that count as evidence for an asset.")
    flag_least_events: int = Field(10, ge=1, description="Observed events below which no declaration is flagged.")
    flag_material_share: float = Field(0.2, gt=0, lt=1, description="Share of the declared value that must be missing to be material.")
    flag_sustained_days: int = Field(28, ge=1, description="Days that a divergence must last to be sustained.")
    endpoints: str = Field("", description="YAML file of webhooks: a list of recipient, url and secret_file; empty = nothing is sent.")
    notice_attempts: int = Field(8, ge=1, le=50, description="Attempts to send a notice before it is given up.")
    notice_backoff_seconds: int = Field(60, ge=1, description="Pause after the first failed attempt; doubles with each further one.")
    notice_timeout_seconds: float = Field(10.0, gt=0, le=120, description="How long a receiver may take to answer.")


class ConsentSettings(Section):
    """Whether households are examined at all, and who says which may be (docs/consent.md)."""

    admits_households: bool = Field(
        True, description="Whether households, and premises of unknown kind, are examined at all; off until a legal basis is configured."
    )
    dip_basis: str = Field(
        "", description="Legal basis recorded for households whose standing data from the DIP say half-hourly consent; empty = none."
    )
    service_url: str = Field("", description="The consent service, https; empty = none is asked.")
    token_file: str = Field("", description="File that holds the bearer token for it; empty = the variable FMAR_CONSENT_TOKEN.")
    purpose: str = Field("any", pattern="^(any|characterisation|verification)$", description="What it is asked about.")
    batch_meters: int = Field(1000, ge=1, le=10_000, description="Meters of one question.")
    timeout_seconds: float = Field(10.0, gt=0, le=120, description="How long an answer may take.")
    attempts: int = Field(4, ge=1, le=10, description="Attempts at a question before the service counts as unavailable.")
    renew_hours: int = Field(36, ge=0, description="Answers that expire within so many hours are asked for again.")
    webhook_secret_file: str = Field("", description="Secret with which the service signs revocations; empty = none are taken.")
    inbox: str = Field("var/consent_inbox", description="Folder in which revocations wait for the next refresh.")


class RetentionSettings(Section):
    """How long what is kept, and when files are joined."""

    raw_months: int = Field(
        13,
        ge=0,
        description="Messages, versions and readings of households that are older are deleted: a year that every season needs, and a "
        "month for corrections; 0 keeps everything.",
    )
    vacuum_hours: int = Field(
        168,
        ge=0,
        description="Versions of tables younger than this can still be read; fewer than 168 break slow readers. Files that no commit names "
        "stay for 168 in any case.",
    )
    compact_from_files: int = Field(16, ge=2, description="Tables of so many files have their small files joined.")


class MonitoringSettings(Section):
    """What is watched, and what stops a run before it replaces gold."""

    max_answered_loss: float = Field(
        0.5, gt=0, le=1, description="Share of the answered meters whose answer a run may lose; at this share it stops before gold."
    )
    max_rejected_factor: float = Field(
        2.0, gt=1, description="Rejected share of messages since gold was made, over that of before, at which a run stops before gold."
    )
    least_meters: int = Field(20, ge=1, description="Answered meters, or rejected messages, below which nothing is compared.")
    least_rejected_share: float = Field(0.01, ge=0, le=1, description="Rejected share of messages below which nothing is compared.")
    folder: str = Field(
        "", description="Folder of measures.prom and operations.html; empty = _operations in a lake on this machine's disk."
    )
    max_message_age_hours: float = Field(36.0, gt=0, description="Oldest that the newest message may be before a warning.")
    max_reading_age_days: float = Field(5.0, gt=0, description="Oldest that the newest day with readings may be before a warning.")
    max_gold_age_days: float = Field(8.0, gt=0, description="Oldest that the day may be that gold speaks of before a warning.")
    max_step_failures: float = Field(0.0, ge=0, description="Failed runs of a step since it was last done before a warning.")
    max_rejected_share: float = Field(0.02, gt=0, le=1, description="Share of rejected messages of a day before a warning.")
    max_drift: float = Field(0.25, gt=0, description="Population stability index from which a distribution counts as moved.")
    max_drifting_features: float = Field(10.0, ge=0, description="Moved features before a warning.")
    drift_meters: int = Field(20_000, ge=100, description="Meters of the sample that drift is measured on.")
    max_calibration_gap: float = Field(
        0.1, gt=0, le=1, description="Stated probability less confirmed share, beyond chance, before a warning."
    )
    max_table_files: float = Field(20_000.0, gt=0, description="Files of a table before a warning: maintain_tables joins them.")
    least_free_share: float = Field(0.1, ge=0, lt=1, description="Free share of the disk below which there is a warning.")


class LearningSettings(Section):
    """Where classifiers are tracked and how they are trained."""

    tracking_uri: str = Field("sqlite:///var/mlflow.db", description="MLflow server; sqlite by default.")
    registry_uri: str = Field("", description="Model registry, where it is not the tracking server: databricks-uc for Unity Catalog.")
    registry_model: str = Field("fmar_asset_classifier", description="Name in the model registry; catalog.schema.name in Unity Catalog.")
    alias: str = Field("champion", description="Alias that scores.")
    source: str = Field(
        "auto", pattern="^(auto|bundled|registry)$", description="auto: champion if there is one, else the bundled classifier."
    )
    seed: int = Field(20260101, description="Seed of splits and trees.")
    test_share: float = Field(0.25, gt=0, lt=1, description="Meters kept for testing only.")
    calibration_share: float = Field(0.25, gt=0, lt=1, description="Meters kept for calibration only.")
    is_taught_by_answers: bool = Field(
        True, description="What FSPs answered to detections (silver.confirmations) is a label where no other says anything."
    )
    gates: str = Field(
        "mlflow/gates.yaml",
        description="What a classifier must reach before it becomes champion; looked for here, then beside the package.",
    )

    @model_validator(mode="after")
    def _require_three_levels(self) -> "LearningSettings":
        if self.registry_uri == UNITY_CATALOG and not THREE_LEVELS.fullmatch(self.registry_model):
            raise ValueError(f"registry_model: {self.registry_model} found, catalog.schema.name wanted with registry_uri {UNITY_CATALOG}")
        return self


class ServiceSettings(Section):
    """What every service needs: whose tokens it accepts, how often one may ask and how much it takes at once."""

    section_name: ClassVar[str] = "service"
    """As messages name the settings."""
    issuer: str = Field("", description="Issuer (iss) whose tokens are accepted.")
    audience: str = Field("", description="Audience (aud) that a token must name.")
    jwks_url: str = Field("", description="Where the issuer publishes its keys; https outside local and test.")
    algorithms: tuple[str, ...] = Field(("RS256", "ES256"), description="Signature algorithms that are accepted, all asymmetric.")
    client_claims: tuple[str, ...] = Field(
        ("client_id", "azp", "appid"), description="Claims that name the client; the first present counts."
    )
    leeway_seconds: int = Field(30, ge=0, le=300, description="Clock skew allowed to exp, nbf and iat.")
    jwks_refetch_seconds: float = Field(30.0, ge=1, description="An unknown key id fetches the keys again at most once in this time.")
    jwks_max_age_seconds: float = Field(3600.0, ge=1, description="Keys older than this are fetched again.")
    page_size: int = Field(100, ge=1, le=1000, description="Rows of a page unless requested otherwise.")
    max_page_size: int = Field(1000, ge=1, le=10_000, description="Most rows of a page.")
    requests_per_minute: int = Field(600, ge=1, description="A client's long-run rate at one service; more answers 429.")
    request_burst: int = Field(100, ge=1, description="Requests that a client may make at once after a pause.")
    anonymous_requests_per_minute: int = Field(
        120, ge=1, description="Long-run rate of requests without an accepted token from one address; more answers 429."
    )
    anonymous_request_burst: int = Field(60, ge=1, description="Requests without an accepted token that one address may make at once.")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For is believed; nobody's, if empty."
    )
    request_head_seconds: float = Field(10.0, gt=0, description="A connection on which no whole request head arrives in time is closed.")
    request_body_seconds: float = Field(
        30.0, gt=0, description="Time for a request's body, plus what 16 kB/s take for what has arrived; then 408."
    )
    answer_read_seconds: float = Field(
        30.0, gt=0, description="A connection whose caller does not read what waits for it in this time is closed."
    )
    max_connections: int = Field(1000, ge=1, description="Connections that one service holds at once; more answer 503.")
    max_requests_at_once: int = Field(
        20, ge=1, description="Requests that one service works on at once, health apart; more answer 503 with Retry-After."
    )
    audit_days: int = Field(366, ge=31, description="How long a row of the request audit is kept.")
    anonymous_audit_per_minute: int = Field(
        600, ge=1, description="Audit rows a minute for requests without an accepted token; the rest is only counted."
    )
    max_body_bytes: int = Field(64 * 1024, ge=1024, description="Largest JSON body.")
    idempotency_hours: int = Field(24, ge=1, description="How long an Idempotency-Key is remembered.")


class RegisterSettings(ServiceSettings):
    """The register of commercial agreements: where it is kept, and how much it takes at once."""

    section_name: ClassVar[str] = "agreements"
    database_url: str = Field(
        "sqlite:///var/register.db", description="sqlite:///FILE or postgresql://...; passwords belong in PGPASSFILE, not here."
    )
    pool_size: int = Field(10, ge=1, description="Database connections that one service keeps.")
    lock_timeout_seconds: float = Field(10.0, gt=0, description="How long a write waits for its turn before it answers 503.")
    audience: str = Field("fmar-register", description="Audience (aud) that a token must name.")
    max_upload_bytes: int = Field(256 * 2**20, ge=1024, description="Largest CSV upload.")
    max_upload_rows: int = Field(1_000_000, ge=1, description="Most rows of a CSV upload.")
    max_uploads_at_once: int = Field(4, ge=1, description="Files that one service takes at once; more answer 503.")
    max_uploads_on_the_way: int = Field(
        8,
        ge=1,
        description="Files of one client whose bodies may be arriving at once, each up to max_upload_bytes on disk; more answer 503.",
    )
    upload_chunk_rows: int = Field(1_000, ge=1, le=10_000, description="Rows that partial mode commits together.")
    upload_stale_seconds: float = Field(120.0, gt=0, description="An unfinished upload untouched for this long is shown as interrupted.")
    is_check_digit_enforced: bool = Field(True, description="Reject MPANs whose check digit is wrong; off for test environments.")
    max_history_versions: int = Field(1000, ge=1, description="Most versions of one record that an answer lists.")
    retention_days: int = Field(
        2192,
        ge=0,
        description="Days for which entries about a meter point are kept after its last agreement ended: six years, in which claims from "
        "contracts can be brought (Limitation Act 1980, section 5).",
    )
    retention_basis: str = Field(
        "the establishment, exercise or defence of legal claims (UK GDPR, Article 17(3)(e))",
        description="Why they are kept until then, although a customer asked for erasure.",
    )


class ReadSettings(Section):
    """The read API: how soon it serves what is published, and how long it relies on rights that it has read."""

    model_folder: str = Field("", description="Folder of the read model on this machine's disk; empty = _read_model in the lake.")
    check_seconds: float = Field(1.0, ge=0, le=3600, description="How often a service looks for a newer read model while requests come.")
    rights_seconds: float = Field(
        5.0, ge=0, le=300, description="How long an FSP's rights are kept while nothing is recorded: terms and evidence end by themselves."
    )
    threads: int = Field(1, ge=1, le=64, description="Threads of one query; many small queries want one.")
    answers_bytes: int = Field(64 * 2**20, ge=0, description="Memory for answers that may be asked for again: the file does not change.")
    public_url: str = Field("", description="Address under which browsers reach the pages, for signing in through the issuer.")
    oidc_client_id: str = Field("", description="Public client of the pages at the issuer; empty = pages take tokens alone.")
    oidc_authorize_url: str = Field("", description="The issuer's authorisation endpoint; https.")
    oidc_token_url: str = Field("", description="The issuer's token endpoint; https.")
    oidc_scope: str = Field("openid", description="Scopes that the pages ask for; with them the access token must name the audience.")


class GatewaySettings(Section):
    """The address to which the DIP sends messages: who may send, and what is held in memory before it is on the disk."""

    landing: str = Field("landing", description="Landing folder, which ingest_dip reads.")
    kafka: str = Field("", description="host:port,... of a Kafka cluster or Event Hub that takes the messages instead of a landing folder.")
    topic: str = Field("", description="Its topic, which ingest_dip reads.")
    kafka_config: str = Field("", description="File of properties of librdkafka's producer, name=value a line; it may hold secrets.")
    record_bytes: int = Field(
        900_000, ge=1024, description="Bodies become records of up to this size; Kafka and Event Hubs take 1 MB unless set otherwise."
    )
    delivery_seconds: float = Field(20.0, gt=0, le=300, description="How long all replicas of a topic may take; then 503 with Retry-After.")
    public_url: str = Field("", description="Scheme, host and port as the DIP addresses them; empty = those of the request.")
    channels: dict[str, str] = Field({}, description="Channels, the last part of their URL, and the SHA-256 of each one's API key in hex.")
    signature_issuers: str = Field("", description="File of PEM certificates whose holders issue the DIP's signing certificates.")
    signature_window_seconds: int = Field(300, ge=1, le=3600, description="How far a signature's date may lie from this machine's clock.")
    tls: str = Field(
        "own",
        pattern="^(own|proxy|none)$",
        description="Who checks client certificates: the gateway, a proxy in front of it, or nobody (local and test alone).",
    )
    tls_certificate: str = Field("", description="own: PEM file of the gateway's certificate and those that it hangs on.")
    tls_key: str = Field("", description="own: PEM file of its key.")
    tls_client_issuers: str = Field("", description="own: PEM file of the issuers of client certificates.")
    proxies: tuple[str, ...] = Field((), description="proxy: addresses or networks whose X-Client-Verify is believed.")
    max_body_bytes: int = Field(16 * 2**20, ge=1024, description="Largest body; a larger one answers 413.")
    body_seconds: float = Field(30.0, gt=0, description="Time for a body, plus what 16 kB/s take for what has arrived; then 408.")
    head_seconds: float = Field(10.0, gt=0, description="A connection on which no whole request head arrives in time is closed.")
    max_connections: int = Field(500, ge=1, description="Connections that are held at once; more answer 503.")
    max_waiting_bytes: int = Field(
        128 * 2**20, ge=1024, description="Bytes of bodies that arrive or wait to be stored; more answer 503 with Retry-After."
    )
    batch_bytes: int = Field(8 * 2**20, ge=1024, description="Bodies are joined in one landing file up to this size.")
    linger_seconds: float = Field(
        0.005, ge=0, le=1, description="How long a landing file, or a request to Kafka, waits for further bodies."
    )
    least_free_bytes: int = Field(2**30, ge=0, description="Room on the disk below which nothing more is taken.")
    answers_bytes: int = Field(64 * 2**20, ge=1024, description="Answers that are remembered, so that a repeated request is stored once.")
    watch_port: int = Field(9108, ge=0, le=65535, description="Port of health and metrics, on this machine alone; 0 = none.")


class AreaSettings(Section):
    """What is published of areas, and how single meters are kept out of it (docs/anonymisation.md)."""

    min_meters: int = Field(10, ge=2, description="Fewest connections of a published sum, and of the difference of two.")
    max_meter_share: float = Field(0.85, gt=0, le=1, description="Largest share that one connection may have of a published sum.")
    count_step: int = Field(5, ge=1, description="Counts of connections are rounded to multiples of this.")
    share_step: float = Field(0.05, gt=0, le=0.5, description="Shares are rounded to multiples of this.")


class Settings(Section):
    """All settings of a run."""

    lake: LakeSettings = LakeSettings()
    spark: SparkSettings = SparkSettings()
    ingest: IngestSettings = IngestSettings()
    imports: ImportSettings = ImportSettings()
    sufficiency: SufficiencySettings = SufficiencySettings()
    characterise: CharacteriseSettings = CharacteriseSettings()
    sizing: SizingSettings = SizingSettings()
    baseline: BaselineSettings = BaselineSettings()
    deliveries: DeliverySettings = DeliverySettings()
    learning: LearningSettings = LearningSettings()
    agreements: RegisterSettings = RegisterSettings()
    reads: ReadSettings = ReadSettings()
    gateway: GatewaySettings = GatewaySettings()
    consent: ConsentSettings = ConsentSettings()
    retention: RetentionSettings = RetentionSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    areas: AreaSettings = AreaSettings()
