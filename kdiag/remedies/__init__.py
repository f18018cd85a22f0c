"""What to do about a finding: commands and advice, judged from the facts. Checks name them, the plan of a fix takes
them up; nothing here looks at the machine.
"""
