-- Pods that asked for accelerators, as kube-state-metrics tells. Inputs: tables prom_series, prom_samples, prom_bad.
CREATE OR REPLACE TEMP TABLE prom_seen AS
SELECT prom_series.*, seconds, value
FROM prom_samples
JOIN prom_series ON prom_series.number = prom_samples.series
WHERE NOT isnan(value) AND metric LIKE 'kube_pod_%';

CREATE OR REPLACE TEMP TABLE prom_asked AS
SELECT namespace, pod, container, resource, max(value) AS asked, max(node) AS node,
    min(seconds) AS first_seen, max(seconds) AS last_seen
FROM prom_seen
WHERE metric = 'kube_pod_container_resource_requests' AND regexp_matches(resource, '^(nvidia_com|amd_com)_')
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE raw AS
WITH told AS (
    SELECT namespace, pod, max(node) AS node,
        max(value) FILTER (metric = 'kube_pod_created') AS created,
        max(value) FILTER (metric = 'kube_pod_start_time') AS started,
        max(value) FILTER (metric = 'kube_pod_status_scheduled_time') AS scheduled,
        max(value) FILTER (metric = 'kube_pod_completion_time') AS completed,
        arg_max(phase, seconds) FILTER (metric = 'kube_pod_status_phase' AND value = 1) AS phase,
        max(seconds) FILTER (metric = 'kube_pod_status_phase' AND value = 1 AND phase = 'Running') AS last_running,
        any_value(labels) FILTER (labels IS NOT NULL) AS labels,
        any_value(owner) FILTER (owner IS NOT NULL) AS owner
    FROM prom_seen
    GROUP BY namespace, pod
), asked AS (
    SELECT namespace, pod, max(node) AS node, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
        -- A slice is its part of seven; how many share a time-shared accelerator is not told.
        CASE WHEN bool_or(contains(resource, 'shared')) THEN NULL ELSE sum(asked * CASE
            WHEN regexp_matches(resource, '_mig_[0-9]g_')
                THEN CAST(regexp_extract(resource, '_mig_([0-9])g_', 1) AS DOUBLE) / 7
            ELSE 1
        END) END AS gpus
    FROM prom_asked
    GROUP BY namespace, pod
), ended AS (
    SELECT asked.* EXCLUDE (node), told.* EXCLUDE (namespace, pod, node), coalesce(asked.node, told.node) AS node,
        CASE
            WHEN completed IS NOT NULL THEN completed
            WHEN phase IN ('Succeeded', 'Failed') THEN coalesce(last_running, first_seen)
            WHEN last_seen < (SELECT max(seconds) FROM prom_seen) THEN last_seen
        END AS finished
    FROM asked
    JOIN told USING (namespace, pod)
)
SELECT
    namespace,
    namespace || '/' || pod AS job,
    pod,
    node,
    gpus,
    phase,
    labels,
    owner,
    make_timestamp(CAST(coalesce(created, started) * 1e6 AS BIGINT)) AS submitted,
    CASE WHEN node IS NOT NULL
        THEN make_timestamp(CAST(coalesce(scheduled, started, created) * 1e6 AS BIGINT)) END AS started,
    make_timestamp(CAST(finished * 1e6 AS BIGINT)) AS ended,
    CAST(NULL AS VARCHAR) AS problem,
    CAST(NULL AS VARCHAR) AS sample
FROM ended
UNION ALL BY NAME
SELECT problem, sample FROM prom_bad
