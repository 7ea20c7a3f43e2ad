-- What services did since the sample before. Inputs: tables prom_counted and prom_bad.
CREATE OR REPLACE TEMP TABLE raw AS
SELECT
    time,
    service,
    node,
    model,
    max(elapsed_s) AS interval_s,
    sum(grown) FILTER (metric = 'vllm:request_success_total') AS requests,
    sum(grown) FILTER (metric = 'vllm:prompt_tokens_total') AS input_tokens,
    sum(grown) FILTER (metric = 'vllm:generation_tokens_total') AS output_tokens,
    CAST(NULL AS VARCHAR) AS problem,
    CAST(NULL AS VARCHAR) AS sample
FROM prom_counted
WHERE metric LIKE 'vllm:%' AND elapsed_s IS NOT NULL
GROUP BY time, service, node, model
HAVING coalesce(requests, input_tokens, output_tokens) IS NOT NULL
UNION ALL BY NAME
SELECT problem, sample FROM prom_bad
