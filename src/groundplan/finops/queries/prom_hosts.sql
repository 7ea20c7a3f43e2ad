-- Hosts as node-exporter counts them. Inputs: tables prom_counted and prom_bad.
-- Devices made of others, and those that never leave the machine, would count their bytes twice.
CREATE OR REPLACE TEMP TABLE raw AS
WITH summed AS (
    SELECT
        time,
        node,
        sum(grown) FILTER (metric = 'node_cpu_seconds_total' AND mode IN ('idle', 'iowait')) / max(elapsed_s)
            / nullif(count(DISTINCT cpu) FILTER (mode = 'idle'), 0) AS cpu_free,
        sum(grown) FILTER (metric = 'node_cpu_seconds_total' AND mode = 'iowait') / max(elapsed_s)
            / nullif(count(DISTINCT cpu) FILTER (mode = 'iowait'), 0) AS cpu_waiting,
        max(value) FILTER (metric = 'node_memory_MemTotal_bytes')
            - max(value) FILTER (metric = 'node_memory_MemAvailable_bytes') AS memory_used_bytes,
        sum(grown / elapsed_s) FILTER (
            metric IN ('node_network_receive_bytes_total', 'node_network_transmit_bytes_total')
            AND NOT regexp_matches(device, '^(lo|veth|docker|br-|cali|cni|flannel|virbr|bond|tun)')
        ) AS network_bytes_per_s,
        sum(grown / elapsed_s) FILTER (
            metric IN ('node_disk_read_bytes_total', 'node_disk_written_bytes_total')
            AND NOT regexp_matches(device, '^(dm-|md|loop|ram|sr|zram)')
        ) AS disk_bytes_per_s
    FROM prom_counted
    WHERE metric LIKE 'node_%'
    GROUP BY time, node
)
SELECT
    * EXCLUDE (cpu_free, cpu_waiting),
    CASE WHEN cpu_free IS NOT NULL THEN greatest(1 - cpu_free, 0) END AS cpu_busy,
    CASE WHEN cpu_waiting IS NOT NULL THEN least(cpu_waiting, 1) END AS cpu_iowait,
    CAST(NULL AS VARCHAR) AS problem,
    CAST(NULL AS VARCHAR) AS sample
FROM summed
WHERE coalesce(cpu_busy, cpu_iowait, memory_used_bytes, network_bytes_per_s, disk_bytes_per_s) IS NOT NULL
UNION ALL BY NAME
SELECT problem, sample FROM prom_bad
