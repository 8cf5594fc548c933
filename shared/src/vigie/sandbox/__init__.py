"""What a process gives up by itself, before it meets a stranger's bytes: system calls (seccomp), files (Landlock)."""
