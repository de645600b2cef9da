"""The audit: is this implementation right, and if not, which mistake is it?"""
