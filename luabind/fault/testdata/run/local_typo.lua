local withdrawals = {}
print(withdrawal.x)
