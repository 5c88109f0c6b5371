-- XXH32, as placement/hash.ts: Redis has none of its own. Source: the xxHash specification,
-- https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md

local P1, P2, P3, P4, P5 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1

-- The lower 32 bits of a product; one of two whole ones would not fit a number.
local function times(a, b)
  local low, high = bit.band(a, 0xffff), bit.rshift(a, 16)
  return bit.tobit(low * b + bit.band(high * b, 0xffff) * 0x10000)
end

local function word(text, at)
  local a, b, c, d = string.byte(text, at, at + 3)
  return a + b * 0x100 + c * 0x10000 + d * 0x1000000
end

local function rotated(sum, bits, prime)
  return times(bit.rol(bit.tobit(sum), bits), prime)
end

-- The sum of whole stripes of 16 bytes, and where what is left begins.
local function stripes(text, seed)
  if #text < 16 then return seed + P5, 1 end
  local lanes, at = { seed + P1 + P2, seed + P2, seed, seed - P1 }, 1
  while at + 15 <= #text do
    for i = 1, 4 do
      lanes[i] = rotated(lanes[i] + times(word(text, at), P2), 13, P1)
      at = at + 4
    end
  end
  return bit.rol(lanes[1], 1) + bit.rol(lanes[2], 7) + bit.rol(lanes[3], 12) + bit.rol(lanes[4], 18), at
end

-- 0 … 2^32 - 1. `seed` the same.
local function xxh32(text, seed)
  local sum, at = stripes(text, seed)
  sum = sum + #text
  while at + 3 <= #text do
    sum = rotated(sum + times(word(text, at), P3), 17, P4)
    at = at + 4
  end
  while at <= #text do
    sum = rotated(sum + string.byte(text, at) * P5, 11, P1)
    at = at + 1
  end
  sum = bit.tobit(sum)
  sum = times(bit.bxor(sum, bit.rshift(sum, 15)), P2)
  sum = times(bit.bxor(sum, bit.rshift(sum, 13)), P3)
  return bit.bxor(sum, bit.rshift(sum, 16)) % 0x100000000
end
