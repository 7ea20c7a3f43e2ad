-- The attempts of a run: jobs with its id, its name or its experiment.
CREATE OR REPLACE TEMP TABLE run_attempts AS
SELECT job_id, state, gpus, epoch(coalesce(end_time, start_time) - start_time) AS elapsed_s
FROM jobs
WHERE job_id = getvariable('run')
   OR name = getvariable('run')
   OR json_extract_string(labels, '$.experiment') = getvariable('run');

SELECT * FROM run_attempts ORDER BY job_id
