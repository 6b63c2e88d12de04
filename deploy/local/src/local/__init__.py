"""The embedded stack: Kafka, Postgres, a sandbox mail server and the five services, without root, Docker, Java or Postgres installed."""
