-- What the two roles of a service may do in its database. As PostgreSQL's administrator, once for each service:
-- psql --set ON_ERROR_STOP=1 --set service=membership --set owner=membership_owner --dbname membership --file grants.sql
revoke all on database :"service" from public;
grant connect on database :"service" to :"service";
grant usage on schema public to :"service";
alter default privileges for role :"owner" in schema public grant select, insert, update, delete on tables to :"service";
alter default privileges for role :"owner" in schema public grant usage on sequences to :"service";
