local Account = {}
Account.__index = Account
function Account:deposit(n)
  self.balance = self.balance + n
end
local account = setmetatable({ balance = 0 }, Account)
account.deposit(5)
