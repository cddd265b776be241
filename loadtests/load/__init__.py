"""Load tests from the outside: prepare, start, judge and report; Locust runs apart."""
