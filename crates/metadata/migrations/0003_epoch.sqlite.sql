-- The cache that nodes share begins with a number of chance: databases that meet in one Redis never take what another
-- has put there.
UPDATE cache_epoch SET epoch = abs(random() >> 2) * 2;
