"""Writers: a document (or the JSON contract itself) becomes text. One module per format."""
