import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;

/** RocksDB for many new keys: nearly every look-up is a miss, so filters are worth most. */
public final class RocksSettings implements RocksDBConfigSetter {
    private static final Cache BLOCKS = new LRUCache(Long.getLong("rocks.cache.mb", 64) << 20);

    @Override public void setConfig(String store, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(BLOCKS);
        table.setFilterPolicy(new BloomFilter(10, false));
        table.setCacheIndexAndFilterBlocks(false);
        options.setTableFormatConfig(table);
        options.setWriteBufferSize(Long.getLong("rocks.buffer.mb", 32) << 20);
        options.setMaxWriteBufferNumber(3);
        options.setMemtablePrefixBloomSizeRatio(0.1);
        options.setMemtableWholeKeyFiltering(true);
        options.setAllowConcurrentMemtableWrite(false); // one writer per store
        options.setEnableWriteThreadAdaptiveYield(false);
        options.setStatsDumpPeriodSec(0);
    }

    @Override public void close(String store, Options options) {}
}
