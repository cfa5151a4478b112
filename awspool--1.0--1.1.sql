/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit
