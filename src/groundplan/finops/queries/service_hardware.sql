-- The accelerators that services ran on: one row a service, the kind of accelerator most of its nodes have.
SELECT counters.service, mode(telemetry.model) AS accelerator, count(DISTINCT telemetry.node) AS nodes
FROM (SELECT DISTINCT service, node FROM counters WHERE node IS NOT NULL) AS counters
JOIN (SELECT DISTINCT node, model FROM telemetry WHERE model IS NOT NULL) AS telemetry USING (node)
GROUP BY counters.service
ORDER BY counters.service
