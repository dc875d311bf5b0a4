"""The sheets of homework, one for every two lessons."""
