"""Stateless maths that two methods or more need, each file named by what it computes."""
