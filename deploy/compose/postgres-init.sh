#!/bin/sh
# First start of the database server: one role and one database for each service; no role reaches another's database.
set -eu
for service in fetcher rules tickets notifier console; do
    name=$(printf %s "$service" | tr '[:lower:]' '[:upper:]')
    password=$(printenv "${name}_DB_PASSWORD")
    psql --quiet --set ON_ERROR_STOP=1 --host /var/run/postgresql --username "$POSTGRES_USER" --dbname postgres \
        --set role="$service" --set password="$password" <<'SQL'
create role :"role" login password :'password';
create database :"role" owner :"role";
revoke connect on database :"role" from public;
SQL
done
