-- Samples of dcgm-exporter in the wide form. Inputs: tables prom_series, prom_samples, prom_bad.
CREATE OR REPLACE TEMP TABLE prom_wide AS
PIVOT (
    SELECT make_timestamp(CAST(round(seconds * 1e6) AS BIGINT)) AS timestamp,
        Hostname, gpu, UUID, modelName, hpc_job, GPU_I_PROFILE, GPU_I_ID, metric, value
    FROM prom_samples
    JOIN prom_series ON prom_series.number = prom_samples.series
    WHERE metric LIKE 'DCGM_FI_%' AND NOT isnan(value)
)
ON metric IN ({metrics})
USING max(value);

CREATE OR REPLACE TEMP TABLE raw AS
SELECT *, CAST(NULL AS VARCHAR) AS problem, CAST(NULL AS VARCHAR) AS sample FROM prom_wide
UNION ALL BY NAME
SELECT problem, sample FROM prom_bad
