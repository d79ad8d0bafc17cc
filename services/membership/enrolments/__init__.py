"""Enrolments 参保: reports of the mutual-aid society 市职工保障互助会, and what clerks and members see of them."""
