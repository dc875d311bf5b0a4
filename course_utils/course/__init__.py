"""What frames the lessons: questions that answer back, progress, claims, the checkup."""
