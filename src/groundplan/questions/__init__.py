"""What can be asked: each task's inputs declared once, for commands, pages, the API and assistants' tools."""
