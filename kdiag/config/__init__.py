"""kdiag.toml and waivers: values, the reader, and where the file that counts is."""
