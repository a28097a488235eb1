"""Packages: a part of a repository that is carried to another; `manifest` says what is in one."""
