-- The schema of a new SQLite store, at the revision of head.py, as schema.py describes it; a test holds
-- both to be the same. Statistics come before there are rows, and indexes after them.

CREATE TABLE answers (
    "key" VARCHAR(64) NOT NULL,
    content JSON NOT NULL,
    created_at DATETIME NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT pk_answers PRIMARY KEY ("key")
);

CREATE TABLE datasets (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    CONSTRAINT pk_datasets PRIMARY KEY (id),
    CONSTRAINT uq_datasets_name UNIQUE (name)
);

CREATE TABLE labels (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_labels PRIMARY KEY (id),
    CONSTRAINT uq_labels_key_value UNIQUE ("key", value)
);

CREATE TABLE models (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    metadata JSON NOT NULL,
    location BLOB,
    CONSTRAINT pk_models PRIMARY KEY (id),
    CONSTRAINT uq_models_name UNIQUE (name)
);

CREATE TABLE revisions (
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    CONSTRAINT pk_revisions PRIMARY KEY (name)
);

CREATE TABLE uid_lists (
    digest VARCHAR(64) NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT pk_uid_lists PRIMARY KEY (digest)
);

CREATE TABLE datums (
    id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    digest VARCHAR(64) NOT NULL,
    uid TEXT NOT NULL,
    metadata JSON NOT NULL,
    location BLOB,
    CONSTRAINT pk_datums PRIMARY KEY (id),
    CONSTRAINT uq_datums_dataset_id_digest UNIQUE (dataset_id, digest),
    CONSTRAINT fk_datums_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id)
);

CREATE TABLE versions (
    id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    digest VARCHAR(64) NOT NULL,
    metadata JSON NOT NULL,
    labels JSON NOT NULL,
    properties JSON NOT NULL,
    datums INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    location BLOB,
    reading JSON,
    declared_groups JSON,
    CONSTRAINT pk_versions PRIMARY KEY (id),
    CONSTRAINT uq_versions_dataset_id_number UNIQUE (dataset_id, number),
    CONSTRAINT uq_versions_dataset_id_digest UNIQUE (dataset_id, digest),
    CONSTRAINT fk_versions_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id)
);

CREATE TABLE annotations (
    datum_id INTEGER NOT NULL,
    "row" INTEGER NOT NULL,
    annotation INTEGER NOT NULL,
    label_id INTEGER NOT NULL,
    x FLOAT,
    y FLOAT,
    width FLOAT,
    height FLOAT,
    area FLOAT,
    crowd INTEGER NOT NULL,
    shape BLOB,
    raster BLOB,
    metadata JSON,
    embedding BLOB,
    CONSTRAINT fk_annotations_datum_id FOREIGN KEY(datum_id) REFERENCES datums (id),
    CONSTRAINT fk_annotations_label_id FOREIGN KEY(label_id) REFERENCES labels (id)
);

CREATE TABLE facts (
    id INTEGER NOT NULL,
    datum_id INTEGER NOT NULL,
    source TEXT NOT NULL,
    revision TEXT NOT NULL,
    name TEXT NOT NULL,
    listed INTEGER NOT NULL,
    number FLOAT,
    text TEXT,
    CONSTRAINT pk_facts PRIMARY KEY (id),
    CONSTRAINT fk_facts_datum_id FOREIGN KEY(datum_id) REFERENCES datums (id)
);

CREATE TABLE prediction_sets (
    id INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    model TEXT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_prediction_sets PRIMARY KEY (id),
    CONSTRAINT uq_prediction_sets_version_id_model_digest UNIQUE (version_id, model, digest),
    CONSTRAINT fk_prediction_sets_version_id FOREIGN KEY(version_id) REFERENCES versions (id)
);

CREATE TABLE version_datums (
    version_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    datum_id INTEGER NOT NULL,
    CONSTRAINT pk_version_datums PRIMARY KEY (version_id, position),
    CONSTRAINT fk_version_datums_version_id FOREIGN KEY(version_id) REFERENCES versions (id),
    CONSTRAINT fk_version_datums_datum_id FOREIGN KEY(datum_id) REFERENCES datums (id)
);

CREATE TABLE evaluations (
    id VARCHAR(32) NOT NULL,
    version_id INTEGER NOT NULL,
    set_id INTEGER NOT NULL,
    task TEXT NOT NULL,
    model TEXT NOT NULL,
    certificate JSON NOT NULL,
    created_at DATETIME NOT NULL,
    reading JSON,
    CONSTRAINT pk_evaluations PRIMARY KEY (id),
    CONSTRAINT fk_evaluations_version_id FOREIGN KEY(version_id) REFERENCES versions (id),
    CONSTRAINT fk_evaluations_set_id FOREIGN KEY(set_id) REFERENCES prediction_sets (id)
);

CREATE TABLE prediction_contents (
    set_id INTEGER NOT NULL,
    part INTEGER NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT pk_prediction_contents PRIMARY KEY (set_id, part),
    CONSTRAINT fk_prediction_contents_set_id FOREIGN KEY(set_id) REFERENCES prediction_sets (id)
);

CREATE TABLE evaluation_runs (
    evaluation_id VARCHAR(32) NOT NULL,
    run_id VARCHAR(64) NOT NULL,
    name TEXT,
    experiment_id TEXT,
    created_at DATETIME NOT NULL,
    state TEXT,
    checked_at DATETIME,
    CONSTRAINT pk_evaluation_runs PRIMARY KEY (evaluation_id, run_id),
    CONSTRAINT fk_evaluation_runs_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id)
);

CREATE TABLE expanded_predictions (
    evaluation_id VARCHAR(32) NOT NULL,
    "row" INTEGER NOT NULL,
    uid TEXT NOT NULL,
    annotation INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    score FLOAT,
    box BLOB,
    area FLOAT,
    crowd INTEGER NOT NULL,
    shape BLOB,
    metadata JSON,
    CONSTRAINT pk_expanded_predictions PRIMARY KEY (evaluation_id, "row"),
    CONSTRAINT fk_expanded_predictions_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id)
);

CREATE TABLE ledger_contents (
    evaluation_id VARCHAR(32) NOT NULL,
    uids VARCHAR(64) NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT pk_ledger_contents PRIMARY KEY (evaluation_id),
    CONSTRAINT fk_ledger_contents_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id),
    CONSTRAINT fk_ledger_contents_uids FOREIGN KEY(uids) REFERENCES uid_lists (digest)
);

CREATE TABLE ledger_details (
    evaluation_id VARCHAR(32) NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT pk_ledger_details PRIMARY KEY (evaluation_id),
    CONSTRAINT fk_ledger_details_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id)
);

CREATE TABLE metrics (
    evaluation_id VARCHAR(32) NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    label_id INTEGER,
    value FLOAT,
    content JSON,
    parameters JSON NOT NULL,
    packed BLOB,
    CONSTRAINT pk_metrics PRIMARY KEY (evaluation_id, position),
    CONSTRAINT fk_metrics_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id),
    CONSTRAINT fk_metrics_label_id FOREIGN KEY(label_id) REFERENCES labels (id)
);

CREATE TABLE velour_schema (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT velour_schema_pkc PRIMARY KEY (version_num)
);

CREATE VIRTUAL TABLE datum_places USING rtree(id, west, east, south, north);

ANALYZE;

-- Indexes
CREATE INDEX ix_datums_uid ON datums (dataset_id, uid);
CREATE INDEX ix_annotations_datum_id ON annotations (datum_id, label_id, annotation);
CREATE INDEX ix_facts_datum_id ON facts (datum_id, source, name);
CREATE INDEX ix_facts_source ON facts (source, name, text);
CREATE INDEX ix_version_datums_datum_id ON version_datums (datum_id);
CREATE INDEX ix_evaluations_version_id ON evaluations (version_id);
CREATE INDEX ix_evaluation_runs_run_id ON evaluation_runs (run_id);
