-- The fleet and who held it. Inputs: view charges, variables period_start and period_end.
-- capacity: accelerators of each node, as telemetry counted them, else as the list of machines says.
CREATE OR REPLACE TEMP TABLE capacity AS
WITH seen AS (
    SELECT node, count(DISTINCT gpu) AS gpus
    FROM telemetry
    GROUP BY node
)
SELECT node, gpus FROM seen
UNION ALL
SELECT nodes.node, CAST(nodes.gpus AS BIGINT) AS gpus
FROM nodes
ANTI JOIN seen USING (node)
WHERE nodes.gpus > 0;

-- fleet: what each node cost in each period that was charged, once a node and period.
CREATE OR REPLACE TEMP TABLE fleet AS
SELECT
    capacity.node,
    capacity.gpus,
    charges.ChargePeriodStart AS since,
    charges.ChargePeriodEnd AS until,
    sum(charges.cost) AS cost
FROM charges
JOIN capacity ON capacity.node = charges.ResourceName
WHERE charges.ChargePeriodStart >= getvariable('period_start')
  AND charges.ChargePeriodStart < getvariable('period_end')
  AND charges.ChargePeriodEnd > charges.ChargePeriodStart
GROUP BY ALL;

-- attempts: each time a job held accelerators; one that was begun again, or runs on two clusters, has its id twice.
CREATE OR REPLACE TEMP TABLE attempts AS
SELECT row_number() OVER (ORDER BY cluster, job_id, submit_time) AS attempt, jobs.*
FROM jobs
WHERE start_time IS NOT NULL
  AND gpus > 0;

-- held: what each attempt had on each node, and when; one that runs on holds it to the end of what was charged.
CREATE OR REPLACE TEMP TABLE held AS
SELECT
    attempt,
    job_id,
    cluster,
    unnest(from_json(nodes, '["VARCHAR"]')) AS node,
    gpus / greatest(json_array_length(nodes), 1) AS gpus,
    start_time AS since,
    coalesce(end_time, (SELECT max(until) FROM fleet)) AS until
FROM attempts;

-- pieces: the part of a node's charged period that an attempt held, as accelerator-seconds and as money. Where jobs
-- claim more than the node has, each gets its part of it.
CREATE OR REPLACE TEMP TABLE pieces AS
WITH shared_time AS (
    SELECT
        fleet.node,
        fleet.since,
        fleet.until,
        fleet.cost,
        fleet.gpus * (epoch(fleet.until) - epoch(fleet.since)) AS capacity_s,
        held.attempt,
        held.job_id,
        held.gpus * (epoch(least(fleet.until, held.until)) - epoch(greatest(fleet.since, held.since))) AS gpu_s
    FROM fleet
    JOIN held
        ON held.node = fleet.node
        AND held.since < fleet.until
        AND held.until > fleet.since
), claims AS (
    SELECT *, sum(gpu_s) OVER (PARTITION BY node, since, until) AS claimed_s
    FROM shared_time
)
SELECT
    node,
    since,
    attempt,
    job_id,
    gpu_s * capacity_s / greatest(capacity_s, claimed_s) AS gpu_s,
    CAST(CAST(cost AS DOUBLE) * gpu_s / greatest(capacity_s, claimed_s) AS DECIMAL(38, 15)) AS cost
FROM claims
WHERE gpu_s > 0;
