"""What only MLServer's spelling needs: where ``import mlserver`` leads, and the names that srv has no other use for."""
