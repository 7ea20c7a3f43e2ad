-- What counters grew by since the sample before. One that is less than before began again at 0.
CREATE OR REPLACE TEMP TABLE prom_counted AS
SELECT
    prom_series.*,
    make_timestamp(CAST(round(seconds * 1e6) AS BIGINT)) AS time,
    value,
    seconds - lag(seconds) OVER one AS elapsed_s,
    CASE WHEN value >= lag(value) OVER one THEN value - lag(value) OVER one ELSE value END AS grown
FROM prom_samples
JOIN prom_series ON prom_series.number = prom_samples.series
WHERE NOT isnan(value)
WINDOW one AS (PARTITION BY series ORDER BY seconds)
