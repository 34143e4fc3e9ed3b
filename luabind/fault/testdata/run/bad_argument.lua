local orders
table.insert(orders, 1)
