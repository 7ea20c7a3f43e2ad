-- What a spreadsheet would run as a formula is marked as text.
CREATE OR REPLACE TEMP MACRO as_text(cell) AS
    CASE WHEN regexp_matches(cell, '^[=+@\t\r-]') THEN '''' || cell ELSE cell END;
