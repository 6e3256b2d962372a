// Starts a server of MongoDB's protocol inside this process, from its published artifacts, over a file:
// java -cp 'lib/*' Start.java FOLDER PORT. What was answered is in the file when the process is told to end.

import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.nio.file.Path;

public final class Start {
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]).toAbsolutePath().resolve("data.mv");
        MongoServer server = new MongoServer(new H2Backend(file.toString()));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        server.bind("127.0.0.1", Integer.parseInt(arguments[1]));
        System.out.println("ready");
        System.out.flush();
        Thread.currentThread().join();
    }
}
