// Starts a name node and a data node of HDFS with WebHDFS inside this process, from their published artifacts:
// java -cp 'lib/*' Start.java FOLDER PORT. Data stay in the folder; the nodes end with the process.

import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.FSNamesystem;
import org.apache.hadoop.hdfs.server.namenode.LeaseManager;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;

public final class Start {
    public static void main(String[] arguments) throws Exception {
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {
            error.printStackTrace();
            // Threads of nodes that were begun would keep the process.
            Runtime.getRuntime().halt(1);
        });
        Path home = Path.of(arguments[0]).toAbsolutePath();
        Configuration configuration = new HdfsConfiguration();
        configuration.set("hadoop.tmp.dir", home.resolve("tmp").toString());
        configuration.set("fs.defaultFS", "hdfs://127.0.0.1:0");
        configuration.set("dfs.namenode.name.dir", home.resolve("name").toUri().toString());
        configuration.set("dfs.namenode.http-address", "127.0.0.1:" + arguments[1]);
        configuration.set("dfs.namenode.rpc-bind-host", "127.0.0.1");
        configuration.set("dfs.datanode.data.dir", home.resolve("data").toUri().toString());
        configuration.set("dfs.datanode.address", "127.0.0.1:0");
        configuration.set("dfs.datanode.http.address", "127.0.0.1:0");
        configuration.set("dfs.datanode.ipc.address", "127.0.0.1:0");
        configuration.set("dfs.datanode.hostname", "127.0.0.1");
        configuration.setInt("dfs.replication", 1);
        configuration.setInt("dfs.namenode.handler.count", 4);
        configuration.setInt("dfs.namenode.safemode.extension", 0);
        configuration.setInt("dfs.heartbeat.interval", 1);
        configuration.setBoolean("dfs.permissions.enabled", false);
        configuration.setBoolean("dfs.namenode.datanode.registration.ip-hostname-check", false);
        // Formatting registers what starting registers again.
        DefaultMetricsSystem.setMiniClusterMode(true);
        if (!Files.exists(home.resolve("name"))) {
            NameNode.format(configuration);
        }
        NameNode names = NameNode.createNameNode(new String[0], configuration);
        // A writer that was killed keeps others from its file for a second, in milliseconds; else for a minute.
        Field leases = FSNamesystem.class.getDeclaredField("leaseManager");
        leases.setAccessible(true);
        ((LeaseManager) leases.get(names.getNamesystem())).setLeasePeriod(1000, 60_000);
        configuration.set("fs.defaultFS", "hdfs://127.0.0.1:" + names.getNameNodeAddress().getPort());
        DataNode data = DataNode.createDataNode(new String[0], configuration);
        System.out.println("ready");
        System.out.flush();
        Thread.currentThread().join();
    }
}
